/* A kernel's arguments, the rows of a batch, and how they are shared out to threads. */

/* Every field is eight bytes wide, so that a caller can lay the whole out as an array of 64-bit numbers. */
typedef struct {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned); /* the thread pool's entry, or NULL */
    int64_t threads, T, B;
    int64_t chunk;         /* how many steps are computed ahead at a time */
    int64_t direct;        /* few rows: weights are read where they lie, and not packed */
    int64_t packed;        /* the packed weights are given; else this call makes them */
    const int64_t *order;  /* [B] which row comes first: those that run longest; or NULL: as they are */
    const int64_t *length; /* [B] in that order, or NULL: all run to the end */
    const int64_t *first;  /* [T + 1] where a step's rows begin in kept tensors, or NULL: at step * B */
    const uint8_t *reset;  /* [T, B], or NULL */
    char *memory;          /* scratch memory for one thread, or NULL: the call asks for its own */
    int64_t next;          /* the next piece of work that nobody has taken yet */
    int64_t failed;        /* set where memory ran out */
    int64_t start;         /* the way back: somebody wants the gradients of the states before the first step */
    const int64_t *size;   /* set by the call: where in `data` the following begin */
    void **at;
    const int64_t *stride;
    void **pack;
    int64_t data[]; /* the sizes; the addresses of the tensors and matrices; two strides each: from step to step and from
                       row to row, or from row to row of a matrix; the addresses of the packed weights */
} arguments;

/* The rows of one thread: every `every`-th from `from` on, in the order of the batch. */
typedef struct {
    int64_t from, every, count;
} share;

/* One step of one row: step, row of the batch, row of the kept tensors. */
typedef struct {
    int64_t t, b, p;
} row;

/* Name where row `index` of the list stands. */
#define AT(index)                                                        \
    const int64_t r = (index), t = list[r].t, b = list[r].b, p = list[r].p; \
    (void)r, (void)t, (void)b, (void)p

/* How many of a share's rows still run at step t; they are the first ones. */
INLINE int64_t running(const arguments *a, share s, int64_t t) {
    if (t >= a->T) return 0;
    if (!a->length) return s.count;
    int64_t low = 0, high = s.count;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (a->length[s.from + middle * s.every] > t) low = middle + 1;
        else high = middle;
    }
    return low;
}

INLINE int64_t batch_row(const arguments *a, share s, int64_t r) {
    const int64_t rank = s.from + r * s.every;
    return a->order ? a->order[rank] : rank;
}

INLINE int64_t first_row(const arguments *a, int64_t t) { return a->first ? a->first[t] : t * a->B; }

/* List the rows that run at step t; return how many. */
INLINE int64_t rows_at(const arguments *a, share s, int64_t t, row *list) {
    const int64_t count = running(a, s, t), first = first_row(a, t);
    for (int64_t r = 0; r < count; r++) list[r] = (row){t, batch_row(a, s, r), first + s.from + r * s.every};
    return count;
}

/* How many of the `left` rows to take now, of `all`: all of them if they are at most `most`, else at most `group`, in
 * groups as even as can be, as a small last one costs nearly as much as a full one. */
INLINE int64_t evenly(int64_t all, int64_t left, int64_t most, int64_t group) {
    if (all <= most) return left;
    const int64_t groups = (left + group - 1) / group;
    return (left + groups - 1) / groups;
}

/* Memory for one share, cut off piece by piece, each on a line of its own. */
INLINE real *cut(char **memory, int64_t count) {
    real *piece = (real *)*memory;
    *memory += ((size_t)count * sizeof(real) + 63) / 64 * 64;
    return piece;
}
INLINE int64_t room_for(int64_t count, size_t each) { return (count * (int64_t)each + 63) / 64 * 64; }
INLINE int64_t room(int64_t count) { return room_for(count, sizeof(real)); }

INLINE void add_to(double *sum, real *part, int64_t count) {
    for (int64_t u = 0; u < count; u++) sum[u] += part[u], part[u] = 0;
}

/* The work of `name`_share, in as many pieces as there are threads; whoever is there takes the next one. */
#define SHARES(name, SIZES, TENSORS)                                                                        \
    static void name##_places(arguments *a) {                                                               \
        a->size = a->data;                                                                                  \
        a->at = (void **)(a->data + SIZES);                                                                 \
        a->stride = a->data + SIZES + TENSORS;                                                              \
        a->pack = (void **)(a->data + SIZES + 3 * TENSORS);                                                 \
    }                                                                                                       \
    static void name##_worker(void *shared) {                                                               \
        arguments *a = shared;                                                                              \
        const int64_t pieces = a->threads, each = (a->B + pieces - 1) / pieces;                             \
        for (;;) {                                                                                          \
            const int64_t piece = __atomic_fetch_add(&a->next, 1, __ATOMIC_RELAXED);                        \
            if (piece >= pieces) return;                                                                    \
            share s = {piece * each, 1, a->B - piece * each < each ? a->B - piece * each : each};           \
            if (a->length) s = (share){piece, pieces, (a->B - piece + pieces - 1) / pieces}; /* long and short ones */ \
            if (s.count <= 0) continue;                                                                     \
            char *memory = a->memory ? a->memory : aligned_alloc(64, (size_t)name##_bytes(a, s.count));     \
            if (memory) name##_share(a, s, piece, memory);                                                  \
            else a->failed = 1;                                                                             \
            if (!a->memory) free(memory);                                                                   \
        }                                                                                                   \
    }                                                                                                       \
    static void name##_in_parallel(arguments *a, void (*work)(void *)) {                                    \
        a->next = 0;                                                                                        \
        if (a->threads > 1) a->parallel(work, a, (unsigned)a->threads, 0);                                  \
        else work(a);                                                                                       \
    }                                                                                                       \
    /* For calls that come again and again: how much scratch memory they take. */                          \
    int64_t name##_memory(arguments *a) {                                                                   \
        name##_places(a);                                                                                   \
        return name##_bytes(a, a->B);                                                                       \
    }

/* The same, with weights that a call packs for itself unless they are given. */
#define SHARED(name, SIZES, TENSORS)                                                                        \
    SHARES(name, SIZES, TENSORS)                                                                            \
    static void name##_packer(void *shared) {                                                               \
        arguments *a = shared;                                                                              \
        while (name##_pack(a, __atomic_fetch_add(&a->next, 1, __ATOMIC_RELAXED))) {}                        \
    }                                                                                                       \
    void name(arguments *a) {                                                                               \
        char *made = NULL;                                                                                  \
        name##_places(a);                                                                                   \
        if (!a->direct && !a->packed) {                                                                     \
            made = aligned_alloc(64, (size_t)name##_pack_bytes(a));                                         \
            if (!made) { a->failed = 1; return; }                                                           \
            name##_pack_places(a, made);                                                                    \
            name##_in_parallel(a, name##_packer);                                                           \
        }                                                                                                   \
        name##_in_parallel(a, name##_worker);                                                               \
        free(made);                                                                                         \
    }                                                                                                       \
    /* For calls that come again and again: weights packed once for all. */                                 \
    int64_t name##_packed_memory(arguments *a) {                                                            \
        name##_places(a);                                                                                   \
        return name##_pack_bytes(a);                                                                        \
    }                                                                                                       \
    void name##_pack_into(arguments *a, char *memory) {                                                     \
        name##_places(a);                                                                                   \
        name##_pack_places(a, memory);                                                                      \
        for (int64_t piece = 0; name##_pack(a, piece); piece++) {}                                          \
        a->packed = 1;                                                                                      \
    }

/* The same, with weights that are always given packed. */
#define SHARED_PACKED(name, SIZES, TENSORS)                                                                 \
    SHARES(name, SIZES, TENSORS)                                                                            \
    void name(arguments *a) {                                                                               \
        name##_places(a);                                                                                   \
        name##_in_parallel(a, name##_worker);                                                               \
    }

/* The layers of a stack: how many, where the address of the first one's input goes, or NULL, and each with its arguments. */
typedef struct {
    int64_t count;
    void **input;
    struct {
        void (*kernel)(arguments *);
        arguments *with;
    } layer[];
} stack;

/* Run them one after the other. */
void in_turn(const stack *layers, void *input) {
    if (layers->input) *layers->input = input;
    for (int64_t i = 0; i < layers->count; i++) layers->layer[i].kernel(layers->layer[i].with);
}
