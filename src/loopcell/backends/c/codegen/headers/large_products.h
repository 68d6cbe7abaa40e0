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

/* Some terms of all sums of a product. */
typedef struct {
    const large_product *of;
    int64_t first, terms, next;
    factor *columns; /* packed: [blocks of WIDE vectors][DEPTH(terms)][WIDE][LANES] */
    int failed;
} large_part;

static void pack_large_columns(void *shared) {
    large_part *p = shared;
    const large_product *o = p->of;
    for (int64_t block; (block = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED)) * WIDE * LANES < o->columns;)
        for (int v = 0; v < WIDE; v++)
            pack_columns(p->columns + (block * DEPTH(p->terms) * WIDE + v) * LANES, o->b + p->first * o->b_term, o->b_term,
                         o->columns, p->terms, WIDE, (block * WIDE + v) * LANES);
}

/* Rows [TALL][OPERAND(terms)] of an operand, from row `i` of the result on. */
static void pack_large_rows(factor *to, const large_part *p, int64_t i) {
    const large_product *o = p->of;
    const int rows = least(TALL, o->rows - i);
    const real *from = o->a + i * o->a_row + p->first * o->a_term;
    if (o->a_term == 1) {
        for (int m = 0; m < rows; m++) narrow(to + m * OPERAND(p->terms), from + m * o->a_row, p->terms);
        return;
    }
    for (int64_t n = 0; n < p->terms; n += 2 * TILE_ROWS)
        for (int m = 0; m < rows; m += LANES) {
            LINES vec turned[(1 + SPLIT) * TILE_ROWS];
            pack_columns((factor *)turned, from + n * o->a_term, o->a_term, rows, least(2 * TILE_ROWS, p->terms - n), 1, m);
            for (int part = 0; part <= SPLIT; part++) {
                vec *square = turned + part * TILE_ROWS;
                transpose(square);
                for (int lane = 0; lane < LANES; lane++)
                    *(vec *)(to + (m + lane) * OPERAND(p->terms) + part * PAIRS(p->terms) + n / 2) = square[lane];
            }
        }
}

static void multiply_large(void *shared) {
    large_part *p = shared;
    const large_product *o = p->of;
    factor *rows = aligned_alloc(64, (size_t)(TALL * OPERAND(p->terms)) * sizeof(factor));
    if (!rows) {
        p->failed = 1;
        return;
    }
    tiles_begin();
    for (int64_t from; (from = __atomic_fetch_add(&p->next, TALL, __ATOMIC_RELAXED)) < o->rows;) {
        pack_large_rows(rows, p, from);
        const int height = least(TALL, o->rows - from);
        for (int i = 0; i < height; i += 2 * TILE_ROWS)
            for (int64_t j = 0; j < o->columns; j += WIDE * LANES) {
                const int m = least(2 * TILE_ROWS, height - i);
                LINES vec sums[2 * TILE_ROWS * WIDE];
                tile_products(m, WIDE, p->columns + j * DEPTH(p->terms), rows + i * OPERAND(p->terms), p->terms, sums, 0);
                for (int r = 0; r < m; r++)
                    for (int v = 0; v < WIDE && j + v * LANES < o->columns; v++) {
                        const int k = least(LANES, o->columns - j - v * LANES);
                        real *to = o->to + (from + i + r) * o->to_row + j + v * LANES;
                        vec sum = sums[r * WIDE + v];
                        if (o->add || p->first) sum += load(to, k);
                        store(to, sum, k);
                    }
            }
    }
    tiles_end();
    free(rows);
}

void large_products(large_product_list *all) {
    for (const large_product *o = all->list; o < all->list + all->count && !all->failed; o++) {
        const int64_t blocks = (o->columns + WIDE * LANES - 1) / (WIDE * LANES);
        large_part p = {.of = o};
        p.columns = aligned_alloc(64, (size_t)(blocks * WIDE * LANES * DEPTH(PART)) * sizeof(factor));
        p.failed = !p.columns;
        for (; p.first < o->terms && !p.failed; p.first += PART) {
            p.terms = least(PART, o->terms - p.first);
            void (*const work[])(void *) = {pack_large_columns, multiply_large};
            for (int i = 0; i < 2; i++) {
                p.next = 0;
                if (all->threads > 1) all->pool->parallel(work[i], &p, (unsigned)all->threads, 0);
                else work[i](&p);
            }
        }
        free(p.columns);
        if (p.failed) all->failed = 1;
    }
}
