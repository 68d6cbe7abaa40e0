/* One call of a kernel outside of Python: memory in from a file, the call, memory out to a file.
 *
 *     standalone FUNCTION IN OUT
 *
 * Compiled with -DKERNEL='"kernel.c"', the generated text, and -DFUNCTIONS='F(forward) F(reverse)', its functions. What the
 * arguments mean is not known here: IN is regions of memory, the first one the arguments, and which of their words point
 * where. Each region has memory of its own, so that an address sanitizer sees a step past its end.
 *
 * IN, numbers of 8 bytes: how many regions, how many pointers; of each region its size and its address modulo 64; of each
 * pointer the region and the place where it stands, and the region and the place that it points to. Then the regions'
 * content. OUT: the regions' content after the call; where a pointer stood, 0.
 *
 * With -DTEAM=3 a loop runs on a team of three threads, which are started here: so a thread sanitizer sees all of them.
 */
#include KERNEL

#include <stdio.h>

#define WORD 8
_Static_assert(sizeof(void *) == WORD, "the file's pointers are those of a 64-bit machine");

typedef struct {
    int64_t size, offset;
    char *whole, *start;
} region;

typedef struct {
    int64_t in, at, to, place;
} pointer;

static void stop(const char *why) {
    fprintf(stderr, "standalone: %s\n", why);
    exit(2);
}

static void read_all(FILE *file, void *memory, size_t size) {
    if (size && fread(memory, 1, size, file) != size) stop("IN is cut off");
}

static region *regions;

#ifdef TEAM
#include <pthread.h>

typedef struct {
    void (*work)(void *);
    void *with;
    int number;
} job;

static __thread int thread_number;
static int present(void) { return TEAM; }
static int number(void) { return thread_number; }

static void *begin(void *given) {
    const job *j = given;
    thread_number = j->number;
    j->work(j->with);
    return NULL;
}

static void parallel(void (*work)(void *), void *with, unsigned threads, unsigned flags) {
    pthread_t started[TEAM];
    job jobs[TEAM];
    (void)flags;
    for (int i = 0; i < (int)threads; i++) {
        jobs[i] = (job){work, with, i};
        if (pthread_create(&started[i], NULL, begin, &jobs[i])) stop("no thread");
    }
    for (unsigned i = 0; i < threads; i++) pthread_join(started[i], NULL);
}

static void make_a_team(arguments *a) {
    static const pool threads = {parallel, present, number};
    a->pool = &threads;
    a->threads = a->team = TEAM;
}
#define TEAMED(name) \
    if (strcmp(#name, "outer_products")) make_a_team((arguments *)regions[0].start);
#else
#define TEAMED(name)
#endif

int main(int count, char **words) {
    if (count != 4) stop("usage: standalone FUNCTION IN OUT");
    FILE *file = fopen(words[2], "rb");
    int64_t counts[2];
    if (!file) stop("IN is not there");
    read_all(file, counts, sizeof counts);
    const size_t many = (size_t)counts[0], links = (size_t)counts[1];
    regions = calloc(many, sizeof *regions);
    pointer *pointers = calloc(links + 1, sizeof *pointers);
    if (!regions || !pointers) stop("no memory");
    for (size_t i = 0; i < many; i++) read_all(file, &regions[i], 2 * sizeof(int64_t));
    read_all(file, pointers, links * sizeof *pointers);
    for (size_t i = 0; i < many; i++) {
        region *r = &regions[i];
        void *memory = NULL;
        if (posix_memalign(&memory, 64, (size_t)(r->offset + r->size))) stop("no memory");
        r->whole = memory;
        r->start = r->whole + r->offset;
        read_all(file, r->start, (size_t)r->size);
    }
    fclose(file);
    for (size_t i = 0; i < links; i++) {
        const char *target = regions[pointers[i].to].start + pointers[i].place;
        memcpy(regions[pointers[i].in].start + pointers[i].at, &target, WORD);
    }

    int known = 0;
#define F(name)                         \
    if (!strcmp(words[1], #name)) {     \
        TEAMED(name)                    \
        name((void *)regions[0].start); \
        known = 1;                      \
    }
    FUNCTIONS
    if (!known) stop("there is no such function");

    for (size_t i = 0; i < links; i++) memset(regions[pointers[i].in].start + pointers[i].at, 0, WORD);
    file = fopen(words[3], "wb");
    if (!file) stop("OUT cannot be written");
    for (size_t i = 0; i < many; i++) {
        const size_t size = (size_t)regions[i].size;
        if (size && fwrite(regions[i].start, 1, size, file) != size) stop("OUT cannot be written");
        free(regions[i].whole);
    }
    free(regions);
    free(pointers);
    return fclose(file) ? 2 : 0;
}
