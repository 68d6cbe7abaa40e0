/* Teams: threads that go through the same rows together, each with a part of the units, and wait for each other after every
 * sweep, since a product reads what all of them have written.
 *
 * A step may take less than a microsecond, which is far less than an operating system needs to wake a thread. So members look
 * again and again; where that does not help for long (more threads than cores), they give the core away, and look fewer
 * times from then on. */
#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#define GIVE_WAY() sched_yield()
#else
#define GIVE_WAY() (void)0
#endif
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() (void)0
#endif
#define PATIENCE 4096 /* looks, some 50 microseconds: more than a step takes */

/* How many times a member has come to the meeting point. Each has a line of the cache of its own, which it alone writes. */
typedef struct {
    int64_t round;
    char rest_of_line[56];
} meeting;

typedef struct {
    int64_t number, of; /* which member, of how many */
    int64_t round, patience;
    meeting *at; /* [of] */
} member;

static __attribute__((noinline, unused)) void wait_for_all(member *me) {
    int gave_way = 0;
    __atomic_store_n(&me->at[me->number].round, ++me->round, __ATOMIC_RELEASE);
    for (int64_t i = 0; i < me->of; i++)
        for (int64_t looks = 0; __atomic_load_n(&me->at[i].round, __ATOMIC_ACQUIRE) < me->round; looks++) {
            if (looks < me->patience) PAUSE();
            else gave_way = 1, GIVE_WAY();
        }
    if (gave_way) me->patience /= 4;
    else if (me->patience < PATIENCE) me->patience += 64;
}

/* Go on when all members of the team have come here. */
INLINE void meet(member *me) {
    if (me->of > 1) wait_for_all(me);
}

/* Units from `start` on, before `stop`. */
typedef struct {
    int64_t start, stop;
} span;

/* A member's part of n units, in whole blocks. They are neighbours, and the same at every step: the weights of a part that
 * fits into a core's cache stay there. */
INLINE span part_of(const member *me, int64_t n, int64_t block) {
    if (me->of == 1) return (span){0, n};
    const int64_t blocks = (n + block - 1) / block;
    const int64_t start = blocks * me->number / me->of * block, stop = blocks * (me->number + 1) / me->of * block;
    return (span){start, stop < n ? stop : n};
}

/* Where a band of rows ends: all loops over rows are done for one band before the next one. A band is a row; of a team, which
 * would have to meet for each of them, all rows. */
INLINE int64_t band(const member *me, int64_t from, int64_t count) { return me->of > 1 ? count : from + 1; }
