/* A wall clock that is off by $CLOCK_OFFSET seconds, for a program that loads this first (LD_PRELOAD). The monotonic
   clocks, and with them all that only waits, stay as they are. Whoever asks before main begins gets the true time.

   (libfaketime does the same, but asks for memory meanwhile, and jemalloc, which Redis uses, asks for the time.) */

#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t offset;

__attribute__((constructor)) static void read_offset(void)
{
    const char *text = getenv("CLOCK_OFFSET");

    offset = text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int) syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += offset;
    }

    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void) zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;

    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);

    if (result != NULL) {
        *result = now.tv_sec;
    }

    return now.tv_sec;
}
