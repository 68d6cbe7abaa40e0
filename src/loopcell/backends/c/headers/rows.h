/* A kernel's arguments, and its rows shared out to threads. */
typedef struct {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned); /* the thread pool's entry, or NULL */
    int64_t threads, T, B;
    const int64_t *size;   /* the sizes by number */
    void **at;             /* the tensors by number */
    const int64_t *stride; /* two each: elements from step to step, and from row to row */
    const uint8_t *reset;  /* [T, B], or NULL */
    const int64_t *length; /* [B], or NULL */
    int64_t slots;         /* how many steps the states' buffers hold */
    int64_t next;          /* the next share of the rows that nobody has taken yet */
    int64_t failed;        /* set where memory ran out */
} arguments;

/* The rows in as many shares as there are threads; whoever is there takes the next one. */
#define SHARED(name)                                                                             \
    static void name##_worker(void *shared) {                                                    \
        arguments *a = shared;                                                                   \
        const int64_t each = (a->B + a->threads - 1) / a->threads;                               \
        for (;;) {                                                                               \
            const int64_t b0 = __atomic_fetch_add(&a->next, 1, __ATOMIC_RELAXED) * each;         \
            if (b0 >= a->B) return;                                                              \
            name##_rows(a, b0, a->B - b0 < each ? a->B - b0 : each);                             \
        }                                                                                        \
    }                                                                                            \
    void name(arguments *a) {                                                                    \
        if (a->threads > 1) a->parallel(name##_worker, a, (unsigned)a->threads, 0);              \
        else name##_worker(a);                                                                   \
    }
