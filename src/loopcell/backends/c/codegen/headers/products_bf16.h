/* Products with weights in bfloat16: half of the memory to read, which is what a step of few rows waits for.
 *
 * A weight is a pair of neighbours along the depth, the even one in the low half. A number in bfloat16 is the upper half of
 * a float, so widening it is a shift, or a mask, of any vector machine. Operands, products and sums are floats.
 */
typedef uint32_t weight;
typedef uint32_t weights __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef real factor;
#define DEPTH(K) (((K) + 1) / 2)

/* out[m][v] += a[m][k] * w[k][v] for V vectors and M rows, P vectors in one pass, their accumulators in registers: one for
 * even k and one for odd k, so that additions do not wait for each other where there is one row. */
#define PRODUCT(V, M, P)                                                                                      \
    static __attribute__((noinline, unused)) void product_##V##_##M(const weight *restrict w, const factor *const *rows, \
                                                                    int64_t K, vec *restrict out) {           \
        const factor *a[M];                                                                                   \
        _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) a[m] = rows[m];                                  \
        for (int pass = 0; pass < V; pass += P, w += P * LANES, out += P) {                                   \
            vec even[M][P], odd[M][P];                                                                        \
            const weight *p = w;                                                                              \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) even[m][v] = out[m * V + v], odd[m][v] = splat(0); \
            for (int64_t k = 0; k + 1 < K; k += 2, p += V * LANES)                                            \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) {                                         \
                    const weights x = *(const weights *)(p + v * LANES);                                      \
                    _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) {                                    \
                        even[m][v] = mul_add(splat(a[m][k]), (vec)(x << 16), even[m][v]);                     \
                        odd[m][v] = mul_add(splat(a[m][k + 1]), (vec)(x & 0xffff0000u), odd[m][v]);           \
                    }                                                                                         \
                }                                                                                             \
            if (K % 2)                                                                                        \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++)                                           \
                    _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                      \
                        even[m][v] = mul_add(splat(a[m][K - 1]), (vec)(*(const weights *)(p + v * LANES) << 16), even[m][v]); \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) out[m * V + v] = even[m][v] + odd[m][v];  \
        }                                                                                                     \
    }
