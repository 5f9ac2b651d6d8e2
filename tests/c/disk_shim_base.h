/*
 * What the disk shim's parts stand on: system calls that its filter lets through, names of files, the log.
 *
 * Everything here runs inside a signal handler: no function that allocates, locks or sets errno.
 */
#ifndef DISK_SHIM_BASE_H
#define DISK_SHIM_BASE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define MARK "/disk-shim/mark/"
#define PATH_MAX_BYTES 4096
#define RULES_MAX 32
#define PAGE 4096ul

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define STUB_ADDRESS 0x3e0000000000ul
/* mov rax,rdi; mov rdi,rsi; mov rsi,rdx; mov rdx,rcx; mov r10,r8; mov r8,r9; mov r9,[rsp+8]; syscall; ret */
static const unsigned char STUB[] = {0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x4d, 0x89,
                                     0xc2, 0x4d, 0x89, 0xc8, 0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05, 0xc3};
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define STUB_ADDRESS 0x3e0000000000ul
/* mov x8,x0; mov x0,x1; ... mov x5,x6; svc 0; ret */
static const uint32_t STUB[] = {0xaa0003e8, 0xaa0103e0, 0xaa0203e1, 0xaa0303e2, 0xaa0403e3,
                                0xaa0503e4, 0xaa0603e5, 0xd4000001, 0xd65f03c0};
#else
#error "no stub for this machine"
#endif

typedef long (*stub)(long, long, long, long, long, long, long);
/* A call that the filter lets through; answers a negative errno. */
#define PASS(number, ...) PASS_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define PASS_(number, a, b, c, d, e, f, ...) \
    (((stub)STUB_ADDRESS)((long)(number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

/* What a record says; tests/src/disk/log.rs reads it. */
enum kind {
    CREATE = 1, /* path: a new regular file `file` */
    WRITE,      /* data at offset of `file` */
    TRUNCATE,   /* `file` has now `length` bytes */
    ALLOCATE,   /* `file` has at least `length` bytes */
    PUNCH,      /* offset and length of `file` read as zeros */
    RENAME,     /* path became other, in place of what was there */
    EXCHANGE,   /* path and other changed places */
    UNLINK,     /* path, a file or a link */
    MKDIR,      /* path: a new folder `file` */
    RMDIR,      /* path */
    LINK,       /* other is a new name of `file`, at path */
    SYNC,       /* `file` or folder at path is durable, data and length */
    SYNC_ALL,   /* everything is durable */
    NOTE,       /* path: the text of a mark */
    UNSEEN,     /* path: a change that cannot be replayed was tried, and refused */
};

struct record {
    uint32_t magic, kind;
    uint64_t file, offset, length, data_bytes;
    uint32_t path_bytes, other_bytes;
    int32_t process;
    uint32_t reserved;
};

/* Shared by all processes of one log or plan. */
struct shared {
    atomic_int locked;
    struct {
        _Atomic uint64_t rule, seen, fired;
    } rules[RULES_MAX];
};

static char root[PATH_MAX_BYTES], plan[PATH_MAX_BYTES];
static size_t root_bytes;
static int log_file = -1;
static struct shared *shared;

static void fail(const char *what)
{
    PASS(SYS_write, 2, "disk_shim: ", 11);
    PASS(SYS_write, 2, what, strlen(what));
    PASS(SYS_write, 2, "\n", 1);
    PASS(SYS_exit_group, 97);
}

static void die(void)
{
    long self = PASS(SYS_getpid);

    PASS(SYS_kill, self, SIGKILL);
}

static void nap(long nanoseconds)
{
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};

    PASS(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, 0);
}

static void lock(void)
{
    int expected = 0;

    while (!atomic_compare_exchange_weak(&shared->locked, &expected, 1)) {
        expected = 0;
        nap(20000);
    }
}

static void unlock(void)
{
    atomic_store(&shared->locked, 0);
}

/* ---- names ---- */

struct name {
    char text[PATH_MAX_BYTES];
    int inside; /* below the folder, or the folder itself */
};

static void judge(struct name *name)
{
    name->inside = strncmp(name->text, root, root_bytes) == 0 &&
                   (name->text[root_bytes] == '/' || name->text[root_bytes] == 0);
}

/* The part below the folder, without the leading slash; empty for the folder itself. */
static const char *below(const struct name *name)
{
    const char *rest = name->text + root_bytes;

    return name->inside ? rest + (*rest == '/') : name->text;
}

static void number_to_text(char *out, long number)
{
    char digits[24];
    int count = 0, at = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        out[at++] = digits[--count];
    out[at] = 0;
}

/* The name of an open file; the suffix of one that was deleted is taken off. */
static void name_of_open(struct name *name, long file)
{
    static const char deleted[] = " (deleted)";
    char link[48] = "/proc/self/fd/";
    long bytes;

    name->text[0] = 0;
    if (file == AT_FDCWD)
        memcpy(link, "/proc/self/cwd", 15);
    else if (file < 0)
        memcpy(link, "/", 2);
    else
        number_to_text(link + 14, file);
    bytes = PASS(SYS_readlinkat, AT_FDCWD, link, name->text, sizeof name->text - 1);
    name->text[bytes < 0 ? 0 : bytes] = 0;
    if (bytes > 10 && memcmp(name->text + bytes - 10, deleted, 10) == 0)
        name->text[bytes - 10] = 0;
    judge(name);
}

/* Makes a name absolute and takes `.`, `..` and double slashes out; links are not followed. */
static void name_at(struct name *name, long folder, const char *path)
{
    size_t bytes = 0;

    name->text[0] = 0;
    if (path == NULL)
        path = "";
    if (*path != '/') {
        name_of_open(name, folder);
        bytes = strlen(name->text);
    }
    while (*path != 0) {
        size_t part = strcspn(path, "/");

        if (part == 2 && memcmp(path, "..", 2) == 0) {
            while (bytes > 0 && name->text[--bytes] != '/')
                ;
        } else if (part != 0 && !(part == 1 && *path == '.')) {
            if (bytes + part + 2 > sizeof name->text)
                break;
            name->text[bytes++] = '/';
            memcpy(name->text + bytes, path, part);
            bytes += part;
        }
        path += part;
        path += *path == '/';
    }
    name->text[bytes] = 0;
    judge(name);
}

static uint64_t number_of_open(long file)
{
    struct stat found;

    return PASS(SYS_fstat, file, &found) == 0 ? found.st_ino : 0;
}

static uint64_t number_at(const struct name *name)
{
    struct stat found;

    return PASS(SYS_newfstatat, AT_FDCWD, name->text, &found, AT_SYMLINK_NOFOLLOW) == 0 ? found.st_ino : 0;
}

/* ---- the log ---- */

static void log_bytes(const void *bytes, size_t count)
{
    const char *at = bytes;

    while (count > 0) {
        long written = PASS(SYS_write, log_file, at, count);

        if (written <= 0)
            fail("the log cannot be written");
        at += written;
        count -= (size_t)written;
    }
}

static void record_with(enum kind kind, uint64_t file, uint64_t offset, uint64_t length, const char *path, const char *other,
                        uint64_t data_bytes)
{
    struct record record = {.magic = 0x4c534431,
                            .kind = kind,
                            .file = file,
                            .offset = offset,
                            .length = length,
                            .data_bytes = data_bytes,
                            .path_bytes = (uint32_t)strlen(path),
                            .other_bytes = (uint32_t)strlen(other),
                            .process = (int32_t)PASS(SYS_getpid)};

    log_bytes(&record, sizeof record);
    log_bytes(path, record.path_bytes);
    log_bytes(other, record.other_bytes);
}

static void note(enum kind kind, uint64_t file, uint64_t length, const char *path, const char *other)
{
    record_with(kind, file, 0, length, path, other, 0);
}

#endif
