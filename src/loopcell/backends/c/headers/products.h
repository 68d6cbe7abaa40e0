/* Products: weights times rows, accumulated in registers. */

/* out[m][v] += a[m][k] * w[k][v] for V vectors and M rows, P vectors in one pass, their accumulators in registers.
 * Not to be inlined: among the equations the compiler would run out of registers and spill accumulators. */
#define PRODUCT(V, M, P)                                                                                      \
    static __attribute__((noinline, unused)) void product_##V##_##M(const real *restrict w, const real *const *rows, \
                                                                    int64_t K, vec *restrict out) {           \
        const real *a[M];                                                                                     \
        _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) a[m] = rows[m];                                  \
        for (int pass = 0; pass < V; pass += P, w += P * LANES, out += P) {                                   \
            vec acc[M][P];                                                                                    \
            const real *p = w;                                                                                \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) acc[m][v] = out[m * V + v];               \
            for (int64_t k = 0; k < K; k++, p += V * LANES) {                                                 \
                vec x[P];                                                                                     \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) x[v] = *(const vec *)(p + v * LANES);     \
                _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                          \
                    _Pragma("GCC unroll 8") for (int v = 0; v < P; v++)                                       \
                        acc[m][v] = mul_add(splat(a[m][k]), x[v], acc[m][v]);                                 \
            }                                                                                                 \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) out[m * V + v] = acc[m][v];               \
        }                                                                                                     \
    }

/* How many of the `left` rows to take now, of `all`: all of them if they are at most `most`, else at most `group`, in
 * groups as even as can be, as a small last one costs nearly as much as a full one. */
INLINE int64_t evenly(int64_t all, int64_t left, int64_t most, int64_t group) {
    if (all <= most) return left;
    const int64_t groups = (left + group - 1) / group;
    return (left + groups - 1) / groups;
}

/* Pack a gate's matrix [n, K], read by rows, as vector v of V: `to` [K, V, lanes] for the units from u0 on. */
INLINE void pack_rows(real *restrict to, const real *from, int64_t ld, int64_t n, int64_t K, int V, int64_t u0) {
    const int units = u0 < n ? least(LANES, n - u0) : 0;
    for (int64_t k0 = 0; k0 < K; k0 += LANES) {
        const int deep = least(LANES, K - k0);
        real block[LANES][LANES];
        memset(block, 0, sizeof block);
        for (int lane = 0; lane < units; lane++) memcpy(block[lane], from + (u0 + lane) * ld + k0, (size_t)deep * sizeof(real));
        for (int k = 0; k < deep; k++)
            for (int lane = 0; lane < LANES; lane++) to[(k0 + k) * V * LANES + lane] = block[lane][k];
    }
}

/* The same for a matrix [K, n] that is read by columns. */
INLINE void pack_columns(real *restrict to, const real *from, int64_t ld, int64_t n, int64_t K, int V, int64_t u0) {
    const int units = u0 < n ? least(LANES, n - u0) : 0;
    for (int64_t k = 0; k < K; k++) *(vec *)(to + k * V * LANES) = units ? load(from + k * ld + u0, units) : splat(0);
}

/* to[j] = the sum over k of w[j][k] * a[k]: weights where they lie, for so few rows that packing would cost more. */
static __attribute__((noinline, unused)) void dots(const real *restrict w, int64_t ld, int count, const real *restrict a,
                                                   int64_t K, real *restrict to) {
    int j = 0;
    for (; j + 4 <= count; j += 4, w += 4 * ld) {
        vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        int64_t k = 0;
        for (; k + LANES <= K; k += LANES) {
            const vec x = *(const vec *)(a + k);
            s0 = mul_add(*(const vec *)(w + k), x, s0);
            s1 = mul_add(*(const vec *)(w + ld + k), x, s1);
            s2 = mul_add(*(const vec *)(w + 2 * ld + k), x, s2);
            s3 = mul_add(*(const vec *)(w + 3 * ld + k), x, s3);
        }
        if (k < K) {
            const int deep = (int)(K - k);
            const vec x = load(a + k, deep);
            s0 = mul_add(load(w + k, deep), x, s0);
            s1 = mul_add(load(w + ld + k, deep), x, s1);
            s2 = mul_add(load(w + 2 * ld + k, deep), x, s2);
            s3 = mul_add(load(w + 3 * ld + k, deep), x, s3);
        }
        to[j] += sum_of(s0), to[j + 1] += sum_of(s1), to[j + 2] += sum_of(s2), to[j + 3] += sum_of(s3);
    }
    for (; j < count; j++, w += ld) {
        vec s = {0};
        for (int64_t k = 0; k < K; k += LANES) {
            const int deep = least(LANES, K - k);
            s = mul_add(load(w + k, deep), load(a + k, deep), s);
        }
        to[j] += sum_of(s);
    }
}

/* to[j] += the sum over k of a[k] * w[k][j], a few vectors of columns at a time, so that memory is read in pieces that
 * its prefetchers follow. */
static __attribute__((noinline, unused)) void columns(const real *restrict w, int64_t ld, int count, const real *restrict a,
                                                      int64_t K, vec *restrict to) {
    int j = 0;
    for (; j + 4 * LANES <= count; j += 4 * LANES, to += 4) {
        vec even[4], odd[4];
        _Pragma("GCC unroll 8") for (int v = 0; v < 4; v++) even[v] = to[v], odd[v] = splat(0);
        const real *p = w + j;
        int64_t k = 0;
        for (; k + 2 <= K; k += 2, p += 2 * ld)
            _Pragma("GCC unroll 8") for (int v = 0; v < 4; v++) {
                even[v] = mul_add(splat(a[k]), *(const vec *)(p + v * LANES), even[v]);
                odd[v] = mul_add(splat(a[k + 1]), *(const vec *)(p + ld + v * LANES), odd[v]);
            }
        if (k < K) _Pragma("GCC unroll 8") for (int v = 0; v < 4; v++) even[v] = mul_add(splat(a[k]), *(const vec *)(p + v * LANES), even[v]);
        _Pragma("GCC unroll 8") for (int v = 0; v < 4; v++) to[v] = even[v] + odd[v];
    }
    for (; j < count; j += LANES, to++) {
        const int lanes = least(LANES, count - j);
        vec even = *to, odd = {0};
        int64_t k = 0;
        for (; k + 2 <= K; k += 2) {
            even = mul_add(splat(a[k]), load(w + k * ld + j, lanes), even);
            odd = mul_add(splat(a[k + 1]), load(w + (k + 1) * ld + j, lanes), odd);
        }
        if (k < K) even = mul_add(splat(a[k]), load(w + k * ld + j, lanes), even);
        *to = even + odd;
    }
}
