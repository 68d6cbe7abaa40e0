/* What every generated kernel stands on: vectors, loads and stores, functions, and the product.
 *
 * REAL is float or double and LANES the number of them in a vector; both come from the compiler's command line.
 * The vectors are those of GCC and Clang, so one source serves AVX-512, AVX2, NEON and plain C.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if REAL_IS_DOUBLE
typedef double real;
typedef int64_t integer;
#define REAL_(name) name
#else
typedef float real;
typedef int32_t integer;
#define REAL_(name) name##f
#endif

/* Unaligned on purpose: rows of a tensor start anywhere. */
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef integer mask __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline, unused))

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

INLINE vec splat(real x) { return x - (vec){0}; }
INLINE int least(int64_t a, int64_t b) { return (int)(a < b ? a : b); }

INLINE vec load(const real *p, int k) {
    if (k >= LANES) return *(const vec *)p;
    vec v = {0};
    memcpy(&v, p, (size_t)k * sizeof(real));
    return v;
}

INLINE void store(real *p, vec v, int k) {
    if (k >= LANES) *(vec *)p = v;
    else memcpy(p, &v, (size_t)k * sizeof(real));
}

INLINE real total(vec v, int k) {
    real sum = 0;
    for (int lane = 0; lane < k; lane++) sum += v[lane];
    return sum;
}

INLINE vec choose(mask m, vec a, vec b) { return (vec)((m & (mask)a) | (~m & (mask)b)); }
INLINE vec greater(vec a, vec b) { return choose(a > b, splat(1), splat(0)); }
INLINE vec where(vec condition, vec a, vec b) { return choose(condition != splat(0), a, b); }
/* As torch: a NaN in either operand is the result. */
INLINE vec v_min(vec a, vec b) { return choose((a < b) | (a != a), a, b); }
INLINE vec v_max(vec a, vec b) { return choose((a > b) | (a != a), a, b); }
INLINE vec v_abs(vec a) { return choose(a < 0, -a, a); }
INLINE vec v_relu(vec a) { return choose(a < 0, splat(0), a); }

#define BY_LANE(name, function)                                         \
    INLINE vec name(vec a) {                                            \
        for (int lane = 0; lane < LANES; lane++) a[lane] = function(a[lane]); \
        return a;                                                       \
    }
BY_LANE(v_log, REAL_(log))
BY_LANE(v_sqrt, REAL_(sqrt))

INLINE real one_softplus(real x) { return REAL_(log1p)(REAL_(exp)(-REAL_(fabs)(x))) + (x > 0 ? x : x == x ? 0 : x); }
BY_LANE(v_softplus, one_softplus)

#if REAL_IS_DOUBLE
INLINE real one_sigmoid(real x) {
    real e = exp(-fabs(x)), s = 1 / (1 + e);
    return x < 0 ? e * s : s;
}
BY_LANE(v_exp, exp)
BY_LANE(v_tanh, tanh)
BY_LANE(v_sigmoid, one_sigmoid)
#else
/* exp: x = n ln 2 + r with |r| <= ln(2)/2, e^r by a polynomial, 2^n in two factors so that subnormals come out right. */
INLINE vec v_exp(vec x) {
    vec c = choose(x > 89.0f, splat(89.0f), choose(x < -104.0f, splat(-104.0f), x));
    vec n = c * 1.44269504f;
    n = (n + 12582912.0f) - 12582912.0f; /* to the nearest whole number */
    vec r = c - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vec p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    mask i = __builtin_convertvector(n, mask);
    mask half = i >> 1;
    vec scale1 = (vec)((half + 127) << 23), scale2 = (vec)((i - half + 127) << 23);
    return choose(x == x, p * scale1 * scale2, x);
}

/* sigmoid: e^-|x| never overflows, so that far below 0 it fades through the subnormals as it should. */
INLINE vec v_sigmoid(vec x) {
    vec e = v_exp(-v_abs(x)), s = 1.0f / (1.0f + e);
    return choose(x < 0, e * s, s);
}

/* tanh: a polynomial around 0, where the other form would lose digits; 1 - 2 / (e^2x + 1) further out. */
INLINE vec v_tanh(vec x) {
    vec a = v_abs(x), z = x * x;
    vec p = splat(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z + -5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z + -3.33332819422e-1f;
    vec near = x + x * z * p;
    vec far = 1.0f - 2.0f / (v_exp(a + a) + 1.0f);
    far = choose(x < 0, -far, far);
    return choose(a < 0.625f, near, choose(x == x, far, x));
}
#endif

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
