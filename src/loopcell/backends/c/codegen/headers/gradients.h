/* Gradients of matrices over few steps: there a call to a library of products costs more than the product. */

/* sum[i][j] = the sum over the steps of d[i] * v[j]; or added to what stands there. */
typedef struct {
    const real *d, *v;      /* of the first step */
    int64_t d_next, v_next; /* from step to step */
    real *sum;
    int64_t sum_next; /* from row to row */
    int64_t rows, columns, add;
} outer_product;

typedef struct {
    int64_t count, steps;
    outer_product list[];
} outer_product_list;

/* Weak: a library whose loops are compiled apart has it once for each of them, and keeps one. */
__attribute__((weak)) void outer_products(const outer_product_list *all) {
    for (const outer_product *o = all->list; o < all->list + all->count; o++)
        for (int64_t i = 0; i < o->rows; i++)
            for (int64_t j = 0; j < o->columns; j += LANES) {
                const int lanes = least(LANES, o->columns - j);
                real *to = o->sum + i * o->sum_next + j;
                vec sum = o->add ? load(to, lanes) : splat(0);
                for (int64_t t = 0; t < all->steps; t++)
                    sum = mul_add(splat(o->d[t * o->d_next + i]), load(o->v + t * o->v_next + j, lanes), sum);
                store(to, sum, lanes);
            }
}
