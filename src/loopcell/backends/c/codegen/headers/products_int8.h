/* Products with weights in int8: a quarter of the memory to read, which is what a step of few rows waits for.
 *
 * A row of weights is whole numbers from -127 to 127 times the row's scale. An operand is whole numbers times a scale of its
 * own, each in two digits; so a product is a sum of whole numbers, exact, whatever the order, and four of them are one
 * instruction. The error of it is that of the two roundings: of the weights, to 8 bits, and of the operand, to 14 or 16.
 *
 * A weight is four neighbours along the depth in one word. A pack has, for every block of units, the sums of the rows of
 * whole numbers, the scales, and then the weights; an operand its high digits, its low digits, and its scale.
 */
typedef uint32_t weight;
typedef uint32_t weights __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t factor;
#define WORDS(K) (((K) + 3) / 4)
#define DEPTH(K) (WORDS(K) + 2)
#define OPERAND(K) (2 * WORDS(K) + 1)
INLINE weights all_of(factor x) { return x - (weights){0}; }

/* sum + a0 * w0 + ... + a3 * w3 for the four digits of a, from 0 up, and the four weights of each lane. */
#define DIGIT_BITS 8
#if LANES == 16 && defined(__AVX512VNNI__)
INLINE bits dot(bits sum, weights a, weights w) { return (bits)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)w); }
#elif LANES == 8 && defined(__AVX512VNNI__) && defined(__AVX512VL__)
INLINE bits dot(bits sum, weights a, weights w) { return (bits)_mm256_dpbusd_epi32((__m256i)sum, (__m256i)a, (__m256i)w); }
#elif LANES == 8 && defined(__AVXVNNI__)
INLINE bits dot(bits sum, weights a, weights w) { return (bits)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)a, (__m256i)w); }
#elif (LANES == 16 && defined(__AVX512BW__)) || (LANES == 8 && defined(__AVX2__))
/* Pairs add up in 16 bits, which hold 2 * 127 * 127 and not 2 * 255 * 127. */
#undef DIGIT_BITS
#define DIGIT_BITS 7
#if LANES == 16
INLINE bits dot(bits sum, weights a, weights w) {
    return sum + (bits)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)a, (__m512i)w), _mm512_set1_epi16(1));
}
#else
INLINE bits dot(bits sum, weights a, weights w) {
    return sum + (bits)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)a, (__m256i)w), _mm256_set1_epi16(1));
}
#endif
#elif LANES == 4 && defined(__ARM_FEATURE_DOTPROD)
/* Both are signed there: digits up to 127. */
#include <arm_neon.h>
#undef DIGIT_BITS
#define DIGIT_BITS 7
INLINE bits dot(bits sum, weights a, weights w) { return (bits)vdotq_s32((int32x4_t)sum, (int8x16_t)a, (int8x16_t)w); }
#else
INLINE bits dot(bits sum, weights a, weights w) {
    _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++)
        sum += (bits)(a >> 8 * j & 255) * ((bits)(w << (24 - 8 * j)) >> 24);
    return sum;
}
#endif

#define BASE (1 << DIGIT_BITS)
/* A whole number from -MOST to MOST plus MIDDLE is two digits of at least 0. */
#define MIDDLE (BASE * BASE / 2)
#define MOST (MIDDLE - 1)
/* Below it an operand counts as zero: its reciprocal would be infinite. */
#define SMALLEST_OPERAND 1e-30f

/* Write the low byte of the first `count` lanes. */
INLINE void put_bytes(uint8_t *to, bits v, int count) {
#if LANES == 16 && defined(AVX512)
    const __m128i bytes = _mm512_cvtepi32_epi8((__m512i)v);
    memcpy(to, &bytes, (size_t)count);
#else
    uint8_t bytes[LANES];
    _Pragma("GCC unroll 8") for (int lane = 0; lane < LANES; lane++) bytes[lane] = (uint8_t)v[lane];
    memcpy(to, bytes, (size_t)count);
#endif
}

INLINE real most_of(vec v) {
    real most = v[0];
    _Pragma("GCC unroll 16") for (int lane = 1; lane < LANES; lane++) most = v[lane] > most ? v[lane] : most;
    return most;
}

/* Bring the K numbers of a row into digits. A NaN or an infinity among them makes the scale NaN, and so all results. */
INLINE void narrow(factor *restrict to, const real *restrict from, int64_t K) {
    vec top = splat(0), nothing = splat(0);
    for (int64_t k = 0; k < K; k += LANES) {
        const vec x = load(from + k, least(LANES, K - k));
        top = larger(v_abs(x), top);
        nothing += x - x;
    }
    const real most = most_of(top), scale = most / MOST + sum_of(nothing);
    const vec each = splat(scale == scale && most > SMALLEST_OPERAND ? MOST / most : 0);
    uint8_t *high = (uint8_t *)to, *low = (uint8_t *)(to + WORDS(K));
    for (int64_t k = 0; k < K; k += LANES) {
        const vec x = load(from + k, least(LANES, K - k));
        const bits whole = __builtin_convertvector(mul_add(x, each, splat(MIDDLE + (real)0.5)), bits);
        const int bytes = least(LANES, 4 * WORDS(K) - k);
        put_bytes(high + k, whole >> DIGIT_BITS, bytes);
        put_bytes(low + k, whole & (BASE - 1), bytes);
    }
    memcpy(to + 2 * WORDS(K), &scale, sizeof(scale));
}

/* out[m][v] += a[m][k] * w[k][v] for V vectors and M rows, P vectors in one pass. The high digits count from the middle of
 * their range, so what the middle would add, the sum of the row times it, is taken off first. */
#define PRODUCT(V, M, P)                                                                                      \
    static __attribute__((noinline, unused)) void product_##V##_##M(const weight *restrict w, const factor *const *rows, \
                                                                    int64_t K, vec *restrict out) {           \
        const factor *a[M];                                                                                   \
        _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) a[m] = rows[m];                                  \
        for (int pass = 0; pass < V; pass += P, w += P * LANES, out += P) {                                   \
            bits high[M][P], low[M][P];                                                                       \
            const weight *p = w + 2 * V * LANES;                                                              \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++)                                           \
                    high[m][v] = *(const bits *)(w + v * LANES) * -(BASE / 2), low[m][v] = (bits){0};         \
            for (int64_t k = 0; k < WORDS(K); k++, p += V * LANES)                                            \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) {                                         \
                    const weights x = *(const weights *)(p + v * LANES);                                      \
                    _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) {                                    \
                        high[m][v] = dot(high[m][v], all_of(a[m][k]), x);                                     \
                        low[m][v] = dot(low[m][v], all_of(a[m][WORDS(K) + k]), x);                            \
                    }                                                                                         \
                }                                                                                             \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) {                                            \
                real scale;                                                                                   \
                memcpy(&scale, a[m] + 2 * WORDS(K), sizeof(scale));                                           \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) {                                         \
                    const vec sum = mul_add(splat(BASE), __builtin_convertvector(high[m][v], vec),            \
                                            __builtin_convertvector(low[m][v], vec));                         \
                    const vec scales = *(const vec *)(w + (V + v) * LANES) * splat(scale);                    \
                    out[m * V + v] = mul_add(sum, scales, out[m * V + v]);                                    \
                }                                                                                             \
            }                                                                                                 \
        }                                                                                                     \
    }
