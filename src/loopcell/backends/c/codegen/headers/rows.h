/* A kernel's arguments, the rows of a batch, and how they are shared out to threads. */

/* The runtime that PyTorch takes its threads from. */
typedef struct {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned); /* run a function on so many threads, this one among them */
    int (*present)(void);                                           /* in there: how many have come, which may be fewer */
    int (*number)(void);                                            /* and which of them this one is */
} pool;

/* Every field is eight bytes wide, so that a caller can lay the whole out as an array of 64-bit numbers. */
typedef struct {
    const pool *pool; /* what starts threads, or NULL */
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
    int64_t team;          /* how many of the threads go through one share of the rows together, each with a part of the units */
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

/* Share number `piece`, of as many as there are teams; its count is 0 or less where rows are fewer. */
INLINE share rows_of(const arguments *a, int64_t piece) {
    const int64_t pieces = a->threads / a->team, each = (a->B + pieces - 1) / pieces, left = a->B - piece * each;
    /* With lengths rows come longest first: each share has long and short ones. */
    if (a->length) return (share){piece, pieces, (a->B - piece + pieces - 1) / pieces};
    return (share){piece * each, 1, left < each ? left : each};
}

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

/* Memory for one share, cut off piece by piece, each on a line of its own. Large pieces are not neighbours: of pieces that
 * lie a power of two apart, the same row would have its place in the same few lines of the first-level cache in all of them,
 * and a step that goes over thirty such rows would push out what it reads next. */
INLINE int64_t room_for(int64_t count, size_t each) { return (count * (int64_t)each + 63) / 64 * 64; }
INLINE int64_t room(int64_t count) {
    const int64_t bytes = room_for(count, sizeof(real));
    return bytes < 4096 ? bytes : bytes + 9 * 64;
}
INLINE real *cut(char **memory, int64_t count) {
    real *piece = (real *)*memory;
    *memory += room(count);
    return piece;
}

INLINE void add_to(double *sum, real *part, int64_t count) {
    for (int64_t u = 0; u < count; u++) sum[u] += part[u], part[u] = 0;
}

/* The work of `name`_share, by `threads` / `team` teams. A team of one takes the next share that nobody has, with memory of
 * its own. Larger teams need to be complete, for they wait for their members: where fewer threads have come than were
 * asked for (nested calls, a limit of the runtime's), each of those works alone. */
#define SHARES(name, SIZES, TENSORS)                                                                        \
    static void name##_places(arguments *a) {                                                               \
        a->size = a->data;                                                                                  \
        a->at = (void **)(a->data + SIZES);                                                                 \
        a->stride = a->data + SIZES + TENSORS;                                                              \
        a->pack = (void **)(a->data + SIZES + 3 * TENSORS);                                                 \
    }                                                                                                       \
    static int64_t name##_team_bytes(const arguments *a) {                                                  \
        return a->team * (int64_t)sizeof(meeting) + name##_bytes(a, rows_of(a, 0).count, a->team);          \
    }                                                                                                       \
    static void name##_member(arguments *a, int64_t piece, int64_t number, int64_t of) {                    \
        const share s = rows_of(a, piece);                                                                  \
        if (s.count <= 0) return;                                                                           \
        char *team = a->team > 1 ? a->memory + piece * name##_team_bytes(a) : NULL, *memory = a->memory;    \
        if (team) memory = team + a->team * (int64_t)sizeof(meeting);                                       \
        else if (!memory) memory = aligned_alloc(64, (size_t)name##_bytes(a, s.count, 1));                  \
        member me = {number, of, 0, PATIENCE, (meeting *)team};                                             \
        if (memory) name##_share(a, s, piece, &me, memory);                                                 \
        else a->failed = 1;                                                                                 \
        if (!a->memory) free(memory);                                                                       \
    }                                                                                                       \
    static void name##_worker(void *shared) {                                                               \
        arguments *a = shared;                                                                              \
        if (a->team > 1 && a->pool->present() >= a->threads) {                                              \
            /* By the thread's number: at the next call it has the same weights, still in its cache. */     \
            const int64_t number = a->pool->number();                                                       \
            if (number < a->threads) name##_member(a, number / a->team, number % a->team, a->team);         \
            return;                                                                                         \
        }                                                                                                   \
        for (int64_t piece; (piece = __atomic_fetch_add(&a->next, 1, __ATOMIC_RELAXED)) < a->threads / a->team;) \
            name##_member(a, piece, 0, 1);                                                                  \
    }                                                                                                       \
    static void name##_in_parallel(arguments *a, void (*work)(void *)) {                                    \
        a->next = 0;                                                                                        \
        if (a->threads > 1) a->pool->parallel(work, a, (unsigned)a->threads, 0);                            \
        else work(a);                                                                                       \
    }                                                                                                       \
    static void name##_run(arguments *a) {                                                                  \
        if (a->team <= 1) {                                                                                 \
            name##_in_parallel(a, name##_worker);                                                           \
            return;                                                                                         \
        }                                                                                                   \
        /* Before the threads start, for a member that has none could not tell the others. */               \
        const int64_t teams = a->threads / a->team, each = name##_team_bytes(a);                            \
        a->memory = aligned_alloc(64, (size_t)(teams * each));                                              \
        if (!a->memory) { a->failed = 1; return; }                                                          \
        for (int64_t i = 0; i < teams; i++) memset(a->memory + i * each, 0, (size_t)a->team * sizeof(meeting)); \
        name##_in_parallel(a, name##_worker);                                                               \
        free(a->memory);                                                                                    \
        a->memory = NULL;                                                                                   \
    }                                                                                                       \
    /* For calls that come again and again: how much scratch memory they take. */                          \
    int64_t name##_memory(arguments *a) {                                                                   \
        name##_places(a);                                                                                   \
        return name##_bytes(a, a->B, 1);                                                                    \
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
        name##_run(a);                                                                                      \
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
        name##_run(a);                                                                                      \
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

/* Run them one after the other. Weak, as outer_products is. */
__attribute__((weak)) void in_turn(const stack *layers, void *input) {
    if (layers->input) *layers->input = input;
    for (int64_t i = 0; i < layers->count; i++) layers->layer[i].kernel(layers->layer[i].with);
}
