/* y = W x, with W in whole numbers of 8 bits, each row times a scale of its own. Sums of whole numbers may be taken in any
 * order: whichever form below a compiler takes, the answers are the same to the bit. W lies in blocks of 16 rows, and in a
 * block four columns after the other four, zeros after the last. */
#define QUADS(columns) (((columns) + 3) / 4)
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#define IN_BYTES 1
#elif defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_BIG_ENDIAN)
#include <arm_neon.h>
#define IN_BYTES 1
#endif

#ifdef IN_BYTES
/* A number of 16 bits is 256 times one of 8 and another one of 8: each is multiplied by an instruction for bytes. */
typedef struct {
    int32_t high[QUADS(MOST_COLUMNS)], low[QUADS(MOST_COLUMNS)]; /* of four columns each */
    uint32_t total;
} whole;

static inline void put_whole(whole *to, int column, int32_t number) {
    const int32_t high = (number + 32896) / 256 - 128; /* 32896: rounds to the nearest, and nothing is below zero */
    ((int8_t *)to->high)[column] = (int8_t)high;
    ((int8_t *)to->low)[column] = (int8_t)(number - 256 * high);
    to->total += (uint32_t)number;
}
#else
typedef struct {
    int16_t numbers[4 * QUADS(MOST_COLUMNS)];
} whole;

static inline void put_whole(whole *to, int column, int32_t number) { to->numbers[column] = (int16_t)number; }
#endif

/* The sums of `blocks` blocks of 16 rows side by side, so that none waits for the one before it. */
static inline __attribute__((always_inline)) void block_sums(
    const int8_t *restrict w, const whole *restrict x, int quads, int blocks, int32_t *restrict sums) {
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
    /* The instruction takes one factor without a sign: w + 128, so that 128 times the sum of x is too much. */
    const __m512i flip = _mm512_set1_epi8(-128), excess = _mm512_set1_epi32((int32_t)(128u * x->total));
    __m512i high[4], low[4];
    for (int block = 0; block < blocks; block++) high[block] = low[block] = _mm512_setzero_si512();
    for (int quad = 0; quad < quads; quad++) {
        const __m512i x_high = _mm512_set1_epi32(x->high[quad]), x_low = _mm512_set1_epi32(x->low[quad]);
_Pragma("GCC unroll 4")
        for (int block = 0; block < blocks; block++) {
            const int8_t *at = w + ((ptrdiff_t)block * quads + quad) * 64;
            const __m512i shifted = _mm512_xor_si512(_mm512_loadu_si512(at), flip);
            high[block] = _mm512_dpbusd_epi32(high[block], shifted, x_high);
            low[block] = _mm512_dpbusd_epi32(low[block], shifted, x_low);
        }
    }
_Pragma("GCC unroll 4")
    for (int block = 0; block < blocks; block++) {
        const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high[block], 8), low[block]);
        _mm512_storeu_si512(sums + 16 * block, _mm512_sub_epi32(sum, excess));
    }
#elif defined(__AVX2__)
    for (int block = 0; block < blocks; block++) {
        __m256i halves[4];
        for (int part = 0; part < 4; part++) halves[part] = _mm256_setzero_si256();
        for (int quad = 0; quad < quads; quad++, w += 64) {
            const __m256i four = _mm256_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)(x->numbers + 4 * quad)));
_Pragma("GCC unroll 4")
            for (int part = 0; part < 4; part++) {
                const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + 16 * part)));
                halves[part] = _mm256_add_epi32(halves[part], _mm256_madd_epi16(wide, four));
            }
        }
_Pragma("GCC unroll 2")
        for (int part = 0; part < 4; part += 2) {
            const __m256i mixed = _mm256_hadd_epi32(halves[part], halves[part + 1]); /* rows 0 1 4 5 2 3 6 7 */
            _mm256_storeu_si256((__m256i *)(sums + 16 * block + 4 * part), _mm256_permute4x64_epi64(mixed, 0xd8));
        }
    }
#elif defined(IN_BYTES)
    for (int block = 0; block < blocks; block++) {
        int32x4_t high[4], low[4];
        for (int part = 0; part < 4; part++) high[part] = low[part] = vdupq_n_s32(0);
        for (int quad = 0; quad < quads; quad++, w += 64) {
            const int8x16_t x_high = vreinterpretq_s8_s32(vdupq_n_s32(x->high[quad]));
            const int8x16_t x_low = vreinterpretq_s8_s32(vdupq_n_s32(x->low[quad]));
_Pragma("GCC unroll 4")
            for (int part = 0; part < 4; part++) {
                const int8x16_t four = vld1q_s8(w + 16 * part);
                high[part] = vdotq_s32(high[part], four, x_high);
                low[part] = vdotq_s32(low[part], four, x_low);
            }
        }
        for (int part = 0; part < 4; part++)
            vst1q_s32(sums + 16 * block + 4 * part, vaddq_s32(vshlq_n_s32(high[part], 8), low[part]));
    }
#else
    for (int block = 0; block < blocks; block++) {
        int32_t rows[16] = {0};
        for (int quad = 0; quad < quads; quad++, w += 64) {
            const int16_t *four = x->numbers + 4 * quad;
            for (int row = 0; row < 16; row++)
                rows[row] += w[4 * row] * four[0] + w[4 * row + 1] * four[1] + w[4 * row + 2] * four[2] +
                             w[4 * row + 3] * four[3];
        }
        for (int row = 0; row < 16; row++) sums[16 * block + row] = rows[row];
    }
#endif
}

static void product(const int8_t *restrict w, const float *restrict scales, const float *restrict x, int columns,
                    int rows, float *restrict y) {
    int16_t narrow[MOST_COLUMNS];
    whole parts = {0};
    const int quads = QUADS(columns);
    const float down = narrowed(x, columns, narrow);
    if (!(down > 0.0f)) {
        for (int row = 0; row < rows; row++) y[row] = down;
        return;
    }
    for (int column = 0; column < columns; column++) put_whole(&parts, column, narrow[column]);
    for (int row = 0; row < rows;) {
        int32_t sums[64];
        const int blocks = row + 64 <= rows ? 4 : 1;
        if (blocks == 4) block_sums(w, &parts, quads, 4, sums);
        else block_sums(w, &parts, quads, 1, sums);
        for (int at = 0; at < 16 * blocks; at++) y[row + at] = (float)sums[at] * (scales[row + at] * down);
        row += 16 * blocks;
        w += (ptrdiff_t)blocks * 64 * quads;
    }
}
