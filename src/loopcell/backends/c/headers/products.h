/* Products: weights times rows, accumulated in registers. */
/* acc[m][v] += a[m][k] * w[k][v] for V vectors and M rows, all accumulators in registers. */
#define PRODUCT(V, M)                                                                                       \
    static __attribute__((noinline, unused)) void product_##V##_##M(const real *restrict w, const real *restrict a, int64_t lda, int64_t K,   \
                                  vec *restrict out) {                                                      \
        vec acc[M][V];                                                                                      \
        _Pragma("GCC unroll 8") for (int m = 0; m < M; m++)                                                 \
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) acc[m][v] = out[m * V + v];                 \
        for (int64_t k = 0; k < K; k++, w += V * LANES) {                                                   \
            vec x[V];                                                                                       \
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) x[v] = *(const vec *)(w + v * LANES);       \
            _Pragma("GCC unroll 8") for (int m = 0; m < M; m++)                                             \
                _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) acc[m][v] += a[m * lda + k] * x[v];     \
        }                                                                                                   \
        _Pragma("GCC unroll 8") for (int m = 0; m < M; m++)                                                 \
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) out[m * V + v] = acc[m][v];                 \
    }
