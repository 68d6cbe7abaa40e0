/* Vectors: loads, stores, choices.
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
