/*
 * Stands between a program and the disk: records every change below one folder, or makes calls on it fail.
 *
 * Preloaded (LD_PRELOAD). It does not replace functions of the C library, because much of the store's code calls the
 * system directly: a seccomp filter turns each system call that can change a file into a signal, and the handler makes the call
 * itself. So nothing gets past it, whatever the program is written in. The filter lets calls from one page
 * through; that page, at a fixed address, is where the handler's own calls come from.
 *
 *   DISK_SHIM_ROOT  the folder, absolute; calls elsewhere are passed on
 *   DISK_SHIM_LOG   record here: one `struct record` with its names and data behind it for each change that was made
 *   DISK_SHIM_PLAN  read at each call: which calls fail, and how (see disk_shim_plan.h)
 *
 * Recording makes the calls one after the other, over all threads and processes: the order in the log is the order in which they
 * happened. Opening a name below MARK writes that name into the log, in the same order, and fails with ESTALE.
 *
 * A recorded process may fork and start threads, but not start another program: the new one would have the filter and not yet the
 * handler. Shared writable mappings of files below the folder are refused, because writes through them are not seen.
 */
#include "disk_shim_plan.h"

/* ---- the calls ---- */

/* A call as the program made it. */
struct call {
    long number, a[6];
    long result;
    int locked, doomed; /* recorded in its turn; the process ends with it */
};

static long make(struct call *call)
{
    return call->result =
               PASS(call->number, call->a[0], call->a[1], call->a[2], call->a[3], call->a[4], call->a[5]);
}

/* Makes the call as planned; true when it was made (wholly or in part) and succeeded. */
static int carry_out(struct call *call, const char *what, const struct name *name)
{
    long value = 0;
    enum outcome outcome = planned(what, name, &value);

    call->doomed = outcome == KILL || outcome == KILL_AFTER;
    if (outcome == ANSWER || outcome == KILL) {
        call->result = value;
        return 0;
    }
    make(call);
    return call->result >= 0;
}

static void begin(struct call *call)
{
    if (log_file >= 0)
        lock();
    call->locked = log_file >= 0;
}

/* What was made is in the log by now, and other processes must not find the lock taken by one that is gone. */
static void end(struct call *call)
{
    if (call->locked)
        unlock();
    if (call->doomed)
        die();
}

static void on_open(struct call *call, long folder, const char *path, long flags)
{
    struct name name, made;
    const char *what = (flags & (O_WRONLY | O_RDWR | O_TRUNC)) != 0 ? "open-write" : "open";
    uint64_t before;

    if (path != NULL && strncmp(path, MARK, sizeof MARK - 1) == 0) {
        begin(call);
        if (log_file >= 0)
            note(NOTE, 0, 0, path + sizeof MARK - 1, "");
        end(call);
        call->result = log_file >= 0 ? -ESTALE : -ENOENT;
        return;
    }
    name_at(&name, folder, path);
    if (!name.inside) {
        make(call);
        return;
    }
    begin(call);
    before = number_at(&name);
    if ((flags & O_CREAT) != 0 && before == 0)
        what = "create";
    if (carry_out(call, what, &name) && log_file >= 0) {
        name_of_open(&made, call->result);
        if ((flags & O_TMPFILE) == O_TMPFILE)
            note(UNSEEN, 0, 0, below(&name), "O_TMPFILE");
        else if ((flags & O_CREAT) != 0 && before == 0)
            note(CREATE, number_of_open(call->result), 0, below(&made), "");
        else if ((flags & O_TRUNC) != 0)
            note(TRUNCATE, number_of_open(call->result), 0, below(&made), "");
    }
    end(call);
}

/* Where a write of `count` bytes through `file` went: at `given`, or where the file's own position says. */
static uint64_t place_of_write(long file, long given, long count)
{
    struct stat found;

    if ((PASS(SYS_fcntl, file, F_GETFL) & O_APPEND) != 0)
        return PASS(SYS_fstat, file, &found) == 0 ? (uint64_t)(found.st_size - count) : 0;
    return (uint64_t)(given >= 0 ? given : PASS(SYS_lseek, file, 0, SEEK_CUR) - count);
}

static void on_write(struct call *call, const struct iovec *parts, long count, long given)
{
    struct name name;
    long value = 0, left, at;
    enum outcome outcome;

    name_of_open(&name, call->a[0]);
    if (!name.inside) {
        make(call);
        return;
    }
    begin(call);
    outcome = planned("write", &name, &value);
    call->doomed = outcome == KILL || outcome == KILL_AFTER;
    if (outcome == ANSWER || outcome == KILL) {
        call->result = value;
    } else if (outcome == SHORT && count > 0) {
        /* The first part is enough: nobody promises more of it than that some bytes are written. */
        size_t bytes = parts[0].iov_len < (size_t)value ? parts[0].iov_len : (size_t)value;

        call->result = given >= 0 ? PASS(SYS_pwrite64, call->a[0], parts[0].iov_base, bytes, given)
                                  : PASS(SYS_write, call->a[0], parts[0].iov_base, bytes);
    } else {
        make(call);
    }
    if (call->result > 0 && log_file >= 0) {
        left = call->result;
        record_with(WRITE, number_of_open(call->a[0]), place_of_write(call->a[0], given, left), (uint64_t)left, below(&name),
                    "", (uint64_t)left);
        for (at = 0; at < count && left > 0; at++) {
            size_t bytes = parts[at].iov_len < (size_t)left ? parts[at].iov_len : (size_t)left;

            log_bytes(parts[at].iov_base, bytes);
            left -= (long)bytes;
        }
    }
    end(call);
}

/* A call on one open file that changes its length or makes it durable. */
static void on_open_file(struct call *call, const char *what, enum kind kind, uint64_t offset, uint64_t length)
{
    struct name name;

    name_of_open(&name, call->a[0]);
    if (!name.inside) {
        make(call);
        return;
    }
    begin(call);
    if (carry_out(call, what, &name) && log_file >= 0)
        record_with(kind, number_of_open(call->a[0]), offset, length, below(&name), "", 0);
    end(call);
}

/* A call on names that this process only reads or locks: it can fail as planned, and is not recorded. */
static void on_reading(struct call *call, const char *what, int by_name)
{
    struct name name;

    if (by_name)
        name_at(&name, call->a[0], (const char *)call->a[1]);
    else
        name_of_open(&name, call->a[0]);
    carry_out(call, what, &name);
    end(call);
}

static void on_name(struct call *call, const char *what, enum kind kind, long folder, const char *path)
{
    struct name name;

    name_at(&name, folder, path);
    if (!name.inside) {
        make(call);
        return;
    }
    begin(call);
    if (carry_out(call, what, &name) && log_file >= 0)
        note(kind, kind == MKDIR || kind == TRUNCATE ? number_at(&name) : 0, (uint64_t)call->a[1], below(&name), "");
    end(call);
}

static void on_two_names(struct call *call, const char *what, enum kind kind, struct name *from, struct name *to)
{
    if (!from->inside && !to->inside) {
        make(call);
        return;
    }
    begin(call);
    if (carry_out(call, what, to->inside ? to : from) && log_file >= 0)
        note(from->inside && to->inside ? kind : UNSEEN, number_at(to), 0, below(from), below(to));
    end(call);
}

static void on_rename(struct call *call, long from_folder, long from, long to_folder, long to, long flags)
{
    struct name one, other;

    name_at(&one, from_folder, (const char *)from);
    name_at(&other, to_folder, (const char *)to);
    on_two_names(call, "rename", (flags & RENAME_EXCHANGE) != 0 ? EXCHANGE : RENAME, &one, &other);
}

static void on_link(struct call *call, long from_folder, long from, long to_folder, long to)
{
    struct name one, other;

    name_at(&one, from_folder, (const char *)from);
    name_at(&other, to_folder, (const char *)to);
    on_two_names(call, "link", LINK, &one, &other);
}

/* Refused where the target is below the folder, so that the caller writes instead (or fails where nobody saw it coming). */
static void on_unseen(struct call *call, long target, const char *what, int error)
{
    struct name name;

    name_of_open(&name, target);
    if (!name.inside) {
        make(call);
        return;
    }
    begin(call);
    if (log_file >= 0 && error == EACCES)
        note(UNSEEN, 0, 0, below(&name), what);
    end(call);
    call->result = -error;
}

static void on_sync_all(struct call *call)
{
    begin(call);
    if (make(call) >= 0 && log_file >= 0)
        note(SYNC_ALL, 0, 0, "", "");
    end(call);
}

static void on_allocate(struct call *call)
{
    long mode = call->a[1];
    uint64_t offset = (uint64_t)call->a[2], length = (uint64_t)call->a[3];

    if ((mode & ~FALLOC_FL_KEEP_SIZE) == 0)
        on_open_file(call, "truncate", ALLOCATE, 0, (mode & FALLOC_FL_KEEP_SIZE) != 0 ? 0 : offset + length);
    else if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        on_open_file(call, "truncate", PUNCH, offset, length);
    else
        on_unseen(call, call->a[0], "fallocate", EOPNOTSUPP);
}

/* The calls that are always seen, and those that are seen where a plan may want to let them fail. */
static const long CHANGING[] = {
    SYS_openat, SYS_openat2, SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2, SYS_ftruncate, SYS_truncate,
    SYS_fallocate, SYS_renameat, SYS_renameat2, SYS_unlinkat, SYS_mkdirat, SYS_linkat, SYS_symlinkat, SYS_fsync,
    SYS_fdatasync, SYS_sync_file_range, SYS_syncfs, SYS_sync, SYS_copy_file_range, SYS_sendfile, SYS_splice, SYS_io_uring_setup,
#if defined(__x86_64__)
    SYS_open, SYS_creat, SYS_rename, SYS_unlink, SYS_mkdir, SYS_rmdir, SYS_link, SYS_symlink,
#endif
};
static const long READING[] = {SYS_read, SYS_pread64, SYS_readv, SYS_preadv, SYS_flock, SYS_faccessat, SYS_faccessat2};

static void dispatch(struct call *call)
{
    long *a = call->a;
    struct iovec one = {(void *)a[1], (size_t)a[2]};

    switch (call->number) {
    case SYS_openat:
        on_open(call, a[0], (const char *)a[1], a[2]);
        break;
    case SYS_openat2:
        on_open(call, a[0], (const char *)a[1], (long)((const uint64_t *)a[2])[0]);
        break;
    case SYS_write:
        on_write(call, &one, 1, -1);
        break;
    case SYS_pwrite64:
        on_write(call, &one, 1, a[3]);
        break;
    case SYS_writev:
        on_write(call, (const struct iovec *)a[1], a[2], -1);
        break;
    case SYS_pwritev:
    case SYS_pwritev2:
        on_write(call, (const struct iovec *)a[1], a[2], a[3]);
        break;
    case SYS_ftruncate:
        on_open_file(call, "truncate", TRUNCATE, 0, (uint64_t)a[1]);
        break;
    case SYS_truncate:
        on_name(call, "truncate", TRUNCATE, AT_FDCWD, (const char *)a[0]);
        break;
    case SYS_fallocate:
        on_allocate(call);
        break;
    case SYS_renameat:
        on_rename(call, a[0], a[1], a[2], a[3], 0);
        break;
    case SYS_renameat2:
        on_rename(call, a[0], a[1], a[2], a[3], a[4]);
        break;
    case SYS_unlinkat:
        on_name(call, "unlink", (a[2] & AT_REMOVEDIR) != 0 ? RMDIR : UNLINK, a[0], (const char *)a[1]);
        break;
    case SYS_mkdirat:
        on_name(call, "mkdir", MKDIR, a[0], (const char *)a[1]);
        break;
    case SYS_linkat:
        on_link(call, a[0], a[1], a[2], a[3]);
        break;
    case SYS_symlinkat:
        on_name(call, "link", UNSEEN, a[1], (const char *)a[2]);
        break;
    case SYS_fsync:
    case SYS_fdatasync:
        on_open_file(call, "sync", SYNC, 0, 0);
        break;
    case SYS_sync_file_range:
        /* Makes nothing durable that a power cut could not take back: no record. */
        on_reading(call, "sync", 0);
        break;
    case SYS_syncfs:
    case SYS_sync:
        on_sync_all(call);
        break;
    case SYS_copy_file_range:
        on_unseen(call, a[2], "copy_file_range", EXDEV);
        break;
    case SYS_sendfile:
        on_unseen(call, a[0], "sendfile", EINVAL);
        break;
    case SYS_splice:
        on_unseen(call, a[2], "splice", EINVAL);
        break;
    case SYS_ioctl:
        on_unseen(call, a[0], "clone", EOPNOTSUPP);
        break;
    case SYS_mmap:
        on_unseen(call, a[4], "a writable shared mapping", EACCES);
        break;
    case SYS_io_uring_setup:
        call->result = -ENOSYS;
        break;
    case SYS_read:
    case SYS_pread64:
    case SYS_readv:
    case SYS_preadv:
        on_reading(call, "read", 0);
        break;
    case SYS_flock:
        on_reading(call, "lock", 0);
        break;
    case SYS_faccessat:
    case SYS_faccessat2:
        on_reading(call, "access", 1);
        break;
#if defined(__x86_64__)
    case SYS_open:
        on_open(call, AT_FDCWD, (const char *)a[0], a[1]);
        break;
    case SYS_creat:
        on_open(call, AT_FDCWD, (const char *)a[0], O_CREAT | O_TRUNC | O_WRONLY);
        break;
    case SYS_rename:
        on_rename(call, AT_FDCWD, a[0], AT_FDCWD, a[1], 0);
        break;
    case SYS_unlink:
        on_name(call, "unlink", UNLINK, AT_FDCWD, (const char *)a[0]);
        break;
    case SYS_rmdir:
        on_name(call, "unlink", RMDIR, AT_FDCWD, (const char *)a[0]);
        break;
    case SYS_mkdir:
        on_name(call, "mkdir", MKDIR, AT_FDCWD, (const char *)a[0]);
        break;
    case SYS_link:
        on_link(call, AT_FDCWD, a[0], AT_FDCWD, a[1]);
        break;
    case SYS_symlink:
        on_name(call, "link", UNSEEN, AT_FDCWD, (const char *)a[1]);
        break;
#endif
    default:
        make(call);
    }
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
    struct call call = {0};

    (void)signal;
    call.number = info->si_syscall;
#if defined(__x86_64__)
    greg_t *r = machine->gregs;
    const long arguments[] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};

    memcpy(call.a, arguments, sizeof arguments);
    dispatch(&call);
    r[REG_RAX] = call.result;
#else
    int at;

    for (at = 0; at < 6; at++)
        call.a[at] = (long)machine->regs[at];
    dispatch(&call);
    machine->regs[0] = (unsigned long long)call.result;
#endif
}

/* ---- the beginning ---- */

static void make_stub(void)
{
    void *at = mmap((void *)STUB_ADDRESS, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at != (void *)STUB_ADDRESS)
        abort();
    memcpy(at, STUB, sizeof STUB);
    __builtin___clear_cache((char *)at, (char *)at + sizeof STUB);
    if (mprotect(at, PAGE, PROT_READ | PROT_EXEC) != 0)
        abort();
}

#define STATEMENT(...) program[count++] = (struct sock_filter)__VA_ARGS__
#define LOAD(field) STATEMENT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field)))
#define LOW(argument) STATEMENT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (argument))))
#define RETURN(what) STATEMENT(BPF_STMT(BPF_RET | BPF_K, (what)))
/* Goes on when equal (or when a bit is set), else skips `count` statements. */
#define UNLESS_EQUAL(value, skip) STATEMENT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (skip)))
#define UNLESS_BIT(value, skip) STATEMENT(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(value), 0, (skip)))

static void install_filter(void)
{
    struct sock_filter program[160];
    struct sock_fprog filter = {.filter = program};
    unsigned short count = 0;
    size_t at;

    LOAD(arch);
    STATEMENT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
    RETURN(SECCOMP_RET_KILL_PROCESS);
    /* Calls from the stub's page pass. */
    STATEMENT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, instruction_pointer) + 4)));
    UNLESS_EQUAL(STUB_ADDRESS >> 32, 4);
    STATEMENT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, instruction_pointer)));
    STATEMENT(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)~(PAGE - 1)));
    UNLESS_EQUAL((uint32_t)STUB_ADDRESS, 1);
    RETURN(SECCOMP_RET_ALLOW);
    LOAD(nr);
    for (at = 0; at < sizeof CHANGING / sizeof *CHANGING; at++) {
        UNLESS_EQUAL(CHANGING[at], 1);
        RETURN(SECCOMP_RET_TRAP);
    }
    for (at = 0; plan[0] != 0 && at < sizeof READING / sizeof *READING; at++) {
        UNLESS_EQUAL(READING[at], 1);
        RETURN(SECCOMP_RET_TRAP);
    }
    /* Writable and shared mappings of files. */
    UNLESS_EQUAL(SYS_mmap, 7);
    LOW(2);
    UNLESS_BIT(PROT_WRITE, 4);
    LOW(3);
    UNLESS_BIT(MAP_SHARED, 2);
    STATEMENT(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0));
    RETURN(SECCOMP_RET_TRAP);
    RETURN(SECCOMP_RET_ALLOW);
    UNLESS_EQUAL(SYS_ioctl, 5);
    LOW(1);
    STATEMENT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)FICLONE, 1, 0));
    UNLESS_EQUAL((uint32_t)FICLONERANGE, 1);
    RETURN(SECCOMP_RET_TRAP);
    RETURN(SECCOMP_RET_ALLOW);
    RETURN(SECCOMP_RET_ALLOW);
    filter.len = count;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        fail("the system does not take the filter");
}

static void share(const char *name)
{
    char path[PATH_MAX_BYTES];
    int file;

    if (strlen(name) + 8 > sizeof path)
        abort();
    strcpy(path, name);
    strcat(path, ".shared");
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *shared) != 0)
        fail("the shared page cannot be made");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED)
        fail("the shared page cannot be mapped");
    close(file);
}

/* The folder may not be there yet; the one above it is, and may be reached through links. */
static void set_root(const char *folder)
{
    const char *last = strrchr(folder, '/');
    char above[PATH_MAX_BYTES] = "/";

    if (last == NULL || last[1] == 0)
        fail("DISK_SHIM_ROOT is not absolute, or ends with a slash");
    if (last != folder) {
        memcpy(above, folder, (size_t)(last - folder));
        above[last - folder] = 0;
        if (realpath(above, root) == NULL)
            fail("the folder above DISK_SHIM_ROOT is not there");
    }
    if (strlen(root) + strlen(last) + 1 > sizeof root)
        fail("a name is too long");
    strcat(root, last);
    root_bytes = strlen(root);
}

__attribute__((constructor)) static void start(void)
{
    const char *folder = getenv("DISK_SHIM_ROOT"), *log = getenv("DISK_SHIM_LOG"), *faults = getenv("DISK_SHIM_PLAN");
    struct sigaction action;
    int file;

    if (folder == NULL || (log == NULL && faults == NULL))
        return;
    make_stub();
    if (strlen(folder) + 1 > sizeof root || (faults != NULL && strlen(faults) + 1 > sizeof plan))
        fail("a name is too long");
    set_root(folder);
    if (faults != NULL)
        strcpy(plan, faults);
    share(log != NULL ? log : faults);
    if (log != NULL) {
        file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log_file = fcntl(file, F_DUPFD_CLOEXEC, 600);
        if (log_file < 0)
            fail("the log cannot be opened");
        close(file);
    }
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) != 0)
        fail("the signal cannot be handled");
    install_filter();
}
