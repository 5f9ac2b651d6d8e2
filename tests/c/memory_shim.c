/*
 * Stands between a program and the C library's allocator: lets chosen allocations fail.
 *
 * Preloaded (LD_PRELOAD). Until `memory_shim_fail` is called everything goes as usual. From then on the allocations of all threads are
 * counted, and those chosen get no memory; `memory_shim_stop` ends that. Counted are what comes in through malloc, calloc, realloc to
 * a larger size, posix_memalign, aligned_alloc, memalign, valloc, pvalloc and anonymous mmap. What the dynamic loader takes for itself
 * (thread-local storage) is left alone: it ends the process by itself, whoever made it need some.
 *
 * The program finds the three functions with dlsym.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t);
extern void *__libc_pvalloc(size_t);

static atomic_int armed;
static atomic_long seen, refused;
static long first, count;
static size_t smallest;
static uintptr_t loader_begin, loader_end;

/* Fails `how_many` (0: all) of the allocations of at least `bytes` bytes, from the one after the next `after` on. */
void memory_shim_fail(long after, long how_many, size_t bytes);
/* Ends that; how many were refused, and in *all how many there were. */
long memory_shim_stop(long *all);

static int of_loader(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    if (info->dlpi_name != NULL && strstr(info->dlpi_name, "/ld-linux") != NULL) {
        for (int i = 0; i < info->dlpi_phnum; i++) {
            uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

            if (info->dlpi_phdr[i].p_type != PT_LOAD)
                continue;
            if (loader_begin == 0 || begin < loader_begin)
                loader_begin = begin;
            if (begin + info->dlpi_phdr[i].p_memsz > loader_end)
                loader_end = begin + info->dlpi_phdr[i].p_memsz;
        }
    }
    return 0;
}

void memory_shim_fail(long after, long how_many, size_t bytes)
{
    if (loader_begin == 0)
        dl_iterate_phdr(of_loader, NULL);
    first = after;
    count = how_many;
    smallest = bytes;
    atomic_store(&seen, 0);
    atomic_store(&refused, 0);
    atomic_store(&armed, 1);
}

long memory_shim_stop(long *all)
{
    atomic_store(&armed, 0);
    if (all != NULL)
        *all = atomic_load(&seen);
    return atomic_load(&refused);
}

static int fails(size_t bytes, void *caller)
{
    long number;

    if (!atomic_load_explicit(&armed, memory_order_relaxed) || bytes < smallest)
        return 0;
    if ((uintptr_t)caller >= loader_begin && (uintptr_t)caller < loader_end)
        return 0;
    number = atomic_fetch_add(&seen, 1);
    if (number < first || (count != 0 && number >= first + count))
        return 0;
    atomic_fetch_add(&refused, 1);
    errno = ENOMEM;
    return 1;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t bytes)
{
    return fails(bytes, CALLER) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t number, size_t each)
{
    size_t bytes;

    if (__builtin_mul_overflow(number, each, &bytes) || fails(bytes, CALLER))
        return NULL;
    return __libc_calloc(number, each);
}

void *realloc(void *piece, size_t bytes)
{
    return bytes != 0 && fails(bytes, CALLER) ? NULL : __libc_realloc(piece, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    return fails(bytes, CALLER) ? NULL : __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(bytes, CALLER) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **place, size_t alignment, size_t bytes)
{
    void *piece;

    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    piece = fails(bytes, CALLER) ? NULL : __libc_memalign(alignment, bytes);
    if (piece == NULL)
        return ENOMEM;
    *place = piece;
    return 0;
}

void *valloc(size_t bytes)
{
    return fails(bytes, CALLER) ? NULL : __libc_valloc(bytes);
}

void *pvalloc(size_t bytes)
{
    return fails(bytes, CALLER) ? NULL : __libc_pvalloc(bytes);
}

void *mmap(void *address, size_t bytes, int rights, int flags, int file, off_t offset)
{
    if ((flags & MAP_ANONYMOUS) != 0 && (flags & MAP_FIXED) == 0 && fails(bytes, CALLER))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, bytes, rights, flags, file, offset);
}

void *mmap64(void *address, size_t bytes, int rights, int flags, int file, off_t offset)
    __attribute__((alias("mmap")));
