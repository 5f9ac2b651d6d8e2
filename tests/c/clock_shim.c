/* Preloaded: a wall clock that a test moves. The monotonic clocks stay the system's.
 *
 * clock_shim_move(seconds) moves it for this process; a process started later finds the sum in the environment
 * (PERILUNE_TEST_CLOCK), since the mover puts it there. */

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t moved;

__attribute__((constructor)) static void start(void)
{
    const char *before = getenv("PERILUNE_TEST_CLOCK");
    if (before)
        moved = strtoll(before, NULL, 10);
}

void clock_shim_move(int64_t seconds)
{
    char text[32];
    moved += seconds;
    snprintf(text, sizeof text, "%lld", (long long)moved);
    setenv("PERILUNE_TEST_CLOCK", text, 1);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int code = (int)syscall(SYS_clock_gettime, clock, now);
    if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        now->tv_sec += moved;
    return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
