/* Large products on tiles, after the reverse loop: gradients of weights, whose sums run over all rows of all steps, and of the
 * input. Operands are floats, and are rounded as they are packed, a part of the sum at a time; results are floats.
 */
#define PART 512  /* terms of the sums that are packed at a time: so many of two vectors of columns fit into the first cache */
#define TALL 128  /* rows of the result that a thread takes at a time: as many neighbours are read together */
#define WIDE 2    /* vectors of columns that are packed side by side */

/* to[i][j] = (add: to[i][j] +) the sum over n of a(i, n) * b[n][j] */
typedef struct {
    const real *a, *b;
    int64_t a_row, a_term; /* from row to row of the result, and from term to term: one of them is 1 */
    int64_t b_term;
    real *to;
    int64_t to_row, rows, columns, terms, add;
} large_product;

typedef struct {
    const pool *pool;
    int64_t threads, count;
    int64_t failed; /* set where memory ran out */
    large_product list[];
} large_product_list;

/* Some terms of all sums, of products that follow each other and have one a, which is packed for all of them. */
typedef struct {
    const large_product *of, *end;
    int64_t first, terms, next;
    factor *columns; /* packed, product by product: [blocks of WIDE vectors][DEPTH(terms)][WIDE][LANES] */
    int failed;
} large_part;

INLINE int64_t blocks_of(const large_product *o) { return (o->columns + WIDE * LANES - 1) / (WIDE * LANES); }
INLINE int same_rows(const large_product *o, const large_product *p) {
    return o->a == p->a && o->a_row == p->a_row && o->a_term == p->a_term && o->rows == p->rows && o->terms == p->terms;
}

/* Rows of large tensors lie so far from each other that no prefetcher of the machine's follows. */
INLINE void fetch_rows(const real *from, int64_t next, int rows, int vectors) {
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) __builtin_prefetch(from + i * next + v * LANES);
}

static void pack_large_columns(void *shared) {
    large_part *p = shared;
    for (;;) {
        const int64_t taken = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        factor *to = p->columns + taken * DEPTH(p->terms) * WIDE * LANES;
        int64_t block = taken;
        const large_product *o = p->of;
        while (o < p->end && block >= blocks_of(o)) block -= blocks_of(o++);
        if (o == p->end) return;
        for (int v = 0; v < WIDE; v++)
            pack_columns(to + v * LANES, o->b + p->first * o->b_term, o->b_term, o->columns, p->terms, WIDE,
                         (block * WIDE + v) * LANES);
    }
}

/* Rows [TALL][OPERAND(terms)] of an operand, from row `i` of the result on. */
static void pack_large_rows(factor *to, const large_part *p, int64_t i) {
    const large_product *o = p->of;
    const int rows = least(TALL, o->rows - i);
    const real *from = o->a + i * o->a_row + p->first * o->a_term;
    if (o->a_term == 1) {
        for (int m = 0; m < rows; m++) {
            fetch_rows(from + (m + 1) * o->a_row, 0, m + 1 < rows, (int)p->terms / LANES);
            narrow(to + m * OPERAND(p->terms), from + m * o->a_row, p->terms);
        }
        return;
    }
    /* Pairs of terms for all rows of the result, as they lie in memory; then tile by tile rows and terms change places. */
    for (int64_t n = 0; n < p->terms; n += 2 * TILE_ROWS, from += 2 * TILE_ROWS * o->a_term) {
        LINES vec turned[1 + SPLIT][TALL / LANES][TILE_ROWS];
        for (int k = 0; k < 2 * TILE_ROWS; k += 2)
            for (int m = 0; m < rows; m += LANES) {
                const real *at = from + k * o->a_term + m;
                __builtin_prefetch(at + 8 * o->a_term), __builtin_prefetch(at + 9 * o->a_term);
                const int units = least(LANES, rows - m);
                const vec low = n + k < p->terms ? load(at, units) : splat(0);
                const vec high = n + k + 1 < p->terms ? load(at + o->a_term, units) : splat(0);
                for (int part = 0; part <= SPLIT; part++) turned[part][m / LANES][k / 2] = (vec)pairs_of(low, high, part);
            }
        for (int part = 0; part <= SPLIT; part++)
            for (int m = 0; m < rows; m += LANES) {
                vec *square = turned[part][m / LANES];
                factor *tile = to + m * OPERAND(p->terms) + part * PAIRS(p->terms) + n / 2;
                transpose(square);
                for (int lane = 0; lane < LANES; lane++) *(vec *)(tile + lane * OPERAND(p->terms)) = square[lane];
            }
    }
}

/* A part of the sums of up to two tiles of rows, and of all columns of a product. */
static void multiply_rows(const large_part *p, const large_product *o, const factor *rows, int m, const factor *columns, int64_t i) {
    for (int64_t j = 0; j < o->columns; j += WIDE * LANES, columns += DEPTH(p->terms) * WIDE * LANES) {
        LINES vec sums[2 * TILE_ROWS * WIDE];
        real *to = o->to + i * o->to_row + j;
        if (o->add || p->first) fetch_rows(to, o->to_row, m, WIDE);
        tile_products(m, WIDE, columns, rows, p->terms, sums, 0);
        for (int r = 0; r < m; r++, to += o->to_row)
            for (int v = 0; v < WIDE && j + v * LANES < o->columns; v++) {
                const int k = least(LANES, o->columns - j - v * LANES);
                vec sum = sums[r * WIDE + v];
                if (o->add || p->first) sum += load(to + v * LANES, k);
                store(to + v * LANES, sum, k);
            }
    }
}

static void multiply_large(void *shared) {
    large_part *p = shared;
    factor *rows = aligned_alloc(64, (size_t)(TALL * OPERAND(p->terms)) * sizeof(factor));
    if (!rows) {
        p->failed = 1;
        return;
    }
    tiles_begin();
    for (int64_t from; (from = __atomic_fetch_add(&p->next, TALL, __ATOMIC_RELAXED)) < p->of->rows;) {
        pack_large_rows(rows, p, from);
        const int height = least(TALL, p->of->rows - from);
        const factor *columns = p->columns;
        for (const large_product *o = p->of; o < p->end; columns += blocks_of(o++) * DEPTH(p->terms) * WIDE * LANES)
            for (int i = 0; i < height; i += 2 * TILE_ROWS)
                multiply_rows(p, o, rows + i * OPERAND(p->terms), least(2 * TILE_ROWS, height - i), columns, from + i);
    }
    tiles_end();
    free(rows);
}

void large_products(large_product_list *all) {
    large_part p = {.end = all->list};
    while (p.end < all->list + all->count && !p.failed) {
        int64_t blocks = 0;
        p.of = p.end;
        while (p.end < all->list + all->count && same_rows(p.end, p.of)) blocks += blocks_of(p.end++);
        p.columns = aligned_alloc(64, (size_t)(blocks * WIDE * LANES * DEPTH(PART)) * sizeof(factor));
        p.failed = !p.columns;
        for (p.first = 0; p.first < p.of->terms && !p.failed; p.first += PART) {
            p.terms = least(PART, p.of->terms - p.first);
            void (*const work[])(void *) = {pack_large_columns, multiply_large};
            for (int i = 0; i < 2; i++) {
                p.next = 0;
                if (all->threads > 1) all->pool->parallel(work[i], &p, (unsigned)all->threads, 0);
                else work[i](&p);
            }
        }
        free(p.columns);
    }
    all->failed = p.failed;
}
