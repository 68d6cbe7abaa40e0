/* Vectors: loads, stores, choices.
 *
 * REAL_IS_DOUBLE and LANES, how many reals a vector has, are defined before this; BF16 where products multiply bfloat16,
 * besides TILES where they do so on tiles, and SPLIT where a real is two numbers in bfloat16.
 * The vectors are those of GCC and Clang, so one source serves AVX-512, AVX2, NEON and plain C.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef BF16
#define BF16 0
#endif
#ifndef TILES
#define TILES 0
#endif
#ifndef SPLIT
#define SPLIT 0
#endif
#if TILES && !defined(__AVX512F__)
#pragma GCC diagnostic ignored "-Wpsabi" /* rows of tiles are wider than this CPU's vectors, and no function outside is given one */
#endif
#define SHORT (BF16 && !SPLIT) /* functions of fewer digits: results that are rounded to bfloat16 do not tell */

#if REAL_IS_DOUBLE
typedef double real;
typedef int64_t integer;
#else
typedef float real;
typedef int32_t integer;
#endif

/* Unaligned on purpose: rows of a tensor start anywhere. */
typedef real vec __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef integer bits __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline, unused))

/* What x86 does in one instruction and C has no word for: X86(min) is _mm512_min_ps, or _mm256_min_pd, ... */
#if defined(__AVX512F__) && LANES == (REAL_IS_DOUBLE ? 8 : 16)
#define AVX512 1
#define X86_WIDTH 512
#elif defined(__AVX__) && LANES == (REAL_IS_DOUBLE ? 4 : 8)
#define X86_WIDTH 256
#elif defined(__SSE2__) && LANES == (REAL_IS_DOUBLE ? 2 : 4)
#define X86_WIDTH
#endif
#ifdef X86_WIDTH
#include <immintrin.h>
#define X86_NAME(width, name, type) _mm##width##_##name##_##type
#define X86_OF(width, name, type) X86_NAME(width, name, type)
#if REAL_IS_DOUBLE
#define X86(name) X86_OF(X86_WIDTH, name, pd)
#else
#define X86(name) X86_OF(X86_WIDTH, name, ps)
#endif
#endif

/* a * b + c and c + sign * a * b, rounded once where the machine can. The compiler may not do so by itself
 * (-ffp-contract=off): it would in one place and not in another, and the same equations would come out differently in
 * training and in inference. */
#if defined(X86) && (defined(AVX512) || defined(__FMA__))
INLINE vec mul_add(vec a, vec b, vec c) { return X86(fmadd)(a, b, c); }
INLINE vec add_mul(vec c, int sign, vec a, vec b) { return sign > 0 ? X86(fmadd)(a, b, c) : X86(fnmadd)(a, b, c); }
#elif defined(__aarch64__) && LANES == (REAL_IS_DOUBLE ? 2 : 4)
#include <arm_neon.h>
#if REAL_IS_DOUBLE
#define NEON(name) name##q_f64
#else
#define NEON(name) name##q_f32
#endif
INLINE vec mul_add(vec a, vec b, vec c) { return NEON(vfma)(c, a, b); }
INLINE vec add_mul(vec c, int sign, vec a, vec b) { return sign > 0 ? NEON(vfma)(c, a, b) : NEON(vfms)(c, a, b); }
#else
INLINE vec mul_add(vec a, vec b, vec c) { return a * b + c; }
INLINE vec add_mul(vec c, int sign, vec a, vec b) { return sign > 0 ? c + a * b : c - a * b; }
#endif

INLINE vec splat(real x) { return x - (vec){0}; }
INLINE int least(int64_t a, int64_t b) { return (int)(a < b ? a : b); }

/* A mask is what a comparison makes: all bits of a lane, or none. */
INLINE vec choose(bits mask, vec a, vec b) { return (vec)((mask & (bits)a) | (~mask & (bits)b)); }
INLINE vec greater(vec a, vec b) { return choose(a > b, splat(1), splat(0)); }
INLINE vec where(vec condition, vec a, vec b) { return choose(condition != splat(0), a, b); }

/* Loads and stores of the first k lanes. With AVX-512 a mask costs nothing, and no branch stands between neighbours; else
 * nearly all are whole, so a well predicted branch is the fastest way to ask. Sanitizers see nothing of what is masked. */
#if defined(AVX512) && defined(__BMI2__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LOW_BITS(k) _bzhi_u32(~0u, (unsigned)(k)) /* k bits, and all of them from 32 on */
INLINE vec load(const real *p, int k) { return X86(maskz_loadu)(LOW_BITS(k), p); }
INLINE void store(real *p, vec v, int k) { X86(mask_storeu)(p, LOW_BITS(k), v); }
#else
INLINE vec load(const real *p, int k) {
    if (k >= LANES) return *(const vec *)p;
    vec v;
    _Pragma("GCC unroll 8") for (int lane = 0; lane < LANES; lane++) v[lane] = lane < k ? p[lane] : 0;
    return v;
}

INLINE void store(real *p, vec v, int k) {
    if (k >= LANES) {
        *(vec *)p = v;
        return;
    }
    _Pragma("GCC unroll 8") for (int lane = 0; lane < LANES; lane++) if (lane < k) p[lane] = v[lane];
}
#endif

/* The sum of a vector's lanes, by halves. */
INLINE real sum_of(vec v) {
#ifdef AVX512
    return X86(reduce_add)(v);
#else
    _Pragma("GCC unroll 8") for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) v[lane] += v[lane + half];
    return v[0];
#endif
}

/* The first k lanes, and zeros. */
INLINE vec first(vec v, int k) {
    if (k < LANES) {
#ifdef AVX512
        v = X86(maskz_mov)((1u << k) - 1, v);
#else
        _Pragma("GCC unroll 8") for (int lane = 0; lane < LANES; lane++) v[lane] = lane < k ? v[lane] : 0;
#endif
    }
    return v;
}

INLINE real total(vec v, int k) { return sum_of(first(v, k)); }
