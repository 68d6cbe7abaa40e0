/* Products: weights times rows, accumulated in registers. */

/* What is multiplied: numbers as they are; or, with BF16, pairs of neighbours along the depth, rounded to bfloat16. Tiles take
 * 16 pairs at a time, so for them the depth is filled up with zeros. With SPLIT a number is two, its rounding and what that
 * left over, rounded; the second ones stand behind all of the first. */
#if BF16
typedef uint32_t factor;
typedef uint32_t factors __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t halves __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
#if TILES
#define PAIRS(K) (((K) + 31) / 32 * 16)
#else
#define PAIRS(K) (((K) + 1) / 2)
INLINE factors all_of(factor x) { return x - (factors){0}; }
INLINE vec product_sum(factors a, factors b, vec sum) { return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }
#endif
#define DEPTH(K) ((1 + SPLIT) * PAIRS(K))
#define OPERAND(K) DEPTH(K)
/* Round to the nearest bfloat16, ties to even; what is subnormal is 0, as the products of x86 have it. */
INLINE halves halves_of(vec a) {
#ifdef __AVX512BF16__
    return (halves)_mm512_cvtneps_pbh((__m512)a);
#else
    const factors x = (factors)a, size = x & 0x7fffffffu, nearest = x + 0x7fff + (x >> 16 & 1);
    const factors tiny = (factors)(size < 0x00800000u), not_a_number = (factors)(size > 0x7f800000u);
    const factors number = ((tiny & x & 0x80000000u) | (~tiny & nearest)) >> 16;
    return __builtin_convertvector((not_a_number & (x >> 16 | 64)) | (~not_a_number & number), halves);
#endif
}
INLINE factors widened(halves a) { return __builtin_convertvector(a, factors); }
/* What is rounded: a number, or, as the second part of a split, what its rounding leaves over (nothing of an infinity). */
INLINE vec split_part(vec a, int part) {
    if (!part) return a;
    const vec rest = a - (vec)(widened(halves_of(a)) << 16);
    return choose(v_abs(rest) < INFINITY, rest, splat(0));
}
/* Numbers beside their neighbours along the depth. */
INLINE factors pairs_of(vec low, vec high, int part) {
    return widened(halves_of(split_part(low, part))) | widened(halves_of(split_part(high, part))) << 16;
}
/* Round the K numbers of a row; an odd one gets a 0 beside it. */
INLINE void narrow(factor *restrict to, const real *from, int64_t K) {
    for (int part = 0; part <= SPLIT; part++, to += PAIRS(K)) {
        halves *pairs = (halves *)to;
        int64_t k = 0;
        for (; k + LANES <= K; k += LANES) *pairs++ = halves_of(split_part(load(from + k, LANES), part));
        if (k < K) {
            const halves last = halves_of(split_part(load(from + k, (int)(K - k)), part));
            memcpy(pairs, &last, (size_t)((K - k + 1) / 2) * sizeof(factor));
        }
        memset(to + (K + 1) / 2, 0, (size_t)(PAIRS(K) - (K + 1) / 2) * sizeof(factor));
    }
}
#else
typedef real factor;
typedef vec factors;
#define DEPTH(K) (K)
#define OPERAND(K) (K)
INLINE vec all_of(real x) { return splat(x); }
INLINE vec product_sum(vec a, vec b, vec sum) { return mul_add(a, b, sum); }
#endif

#if !TILES
/* Weights are asked for some steps of the depth before their use, more of them where a step has few rows and is short: for
 * groups of rows they come from the second-level cache again and again, and the CPU's own prefetchers are late in part. */
#define AHEAD(M) ((M) > 4 ? 8 : 16)
/* out[m][v] += a[m][k] * w[k][v] for V vectors and M rows, P vectors in one pass, their accumulators in registers.
 * Not to be inlined: among the equations the compiler would run out of registers and spill accumulators. */
#define PRODUCT(V, M, P)                                                                                      \
    static __attribute__((noinline, unused)) void product_##V##_##M(const factor *restrict w, const factor *const *rows, \
                                                                    int64_t K, vec *restrict out) {           \
        const factor *a[M];                                                                                   \
        _Pragma("GCC unroll 16") for (int m = 0; m < M; m++) a[m] = rows[m];                                  \
        for (int pass = 0; pass < V; pass += P, w += P * LANES, out += P) {                                   \
            vec acc[M][P];                                                                                    \
            const factor *p = w;                                                                              \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) acc[m][v] = out[m * V + v];               \
            for (int64_t k = 0; k < DEPTH(K); k++, p += V * LANES) {                                          \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) __builtin_prefetch(p + (AHEAD(M) * V + v) * LANES); \
                factors x[P];                                                                                 \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) x[v] = *(const factors *)(p + v * LANES); \
                _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                          \
                    _Pragma("GCC unroll 8") for (int v = 0; v < P; v++)                                       \
                        acc[m][v] = product_sum(all_of(a[m][k]), x[v], acc[m][v]);                            \
            }                                                                                                 \
            _Pragma("GCC unroll 16") for (int m = 0; m < M; m++)                                              \
                _Pragma("GCC unroll 8") for (int v = 0; v < P; v++) out[m * V + v] = acc[m][v];               \
        }                                                                                                     \
    }
#endif

/* Make rows columns: LANES vectors, two and two of them exchanging halves, quarters, ... */
#if LANES == 16
#define EACH(F, s) F(s, 0), F(s, 1), F(s, 2), F(s, 3), F(s, 4), F(s, 5), F(s, 6), F(s, 7), \
                   F(s, 8), F(s, 9), F(s, 10), F(s, 11), F(s, 12), F(s, 13), F(s, 14), F(s, 15)
#elif LANES == 8
#define EACH(F, s) F(s, 0), F(s, 1), F(s, 2), F(s, 3), F(s, 4), F(s, 5), F(s, 6), F(s, 7)
#elif LANES == 4
#define EACH(F, s) F(s, 0), F(s, 1), F(s, 2), F(s, 3)
#else
#define EACH(F, s) F(s, 0), F(s, 1)
#endif
#define FIRST(s, j) ((j) & (s) ? LANES + (j) - (s) : (j))
#define SECOND(s, j) ((j) & (s) ? LANES + (j) : (j) + (s))
#if defined(__clang__) || __GNUC__ >= 12
#define MIXED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MIXED(a, b, ...) __builtin_shuffle(a, b, (bits){__VA_ARGS__})
#endif
#define EXCHANGE(s)                                                                \
    if (s < LANES) _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & s)) { \
        const vec a = r[i], b = r[(i + s) % LANES];                                \
        r[i] = MIXED(a, b, EACH(FIRST, s % LANES));                                \
        r[(i + s) % LANES] = MIXED(a, b, EACH(SECOND, s % LANES));                 \
    }
static __attribute__((noinline, unused)) void transpose(vec *r) { EXCHANGE(1) EXCHANGE(2) EXCHANGE(4) EXCHANGE(8) }

/* Pack a gate's matrix [n, K], read by rows, as vector v of V: `to` [DEPTH(K), V, lanes] for the units from u0 on. */
INLINE void pack_rows(factor *restrict to, const real *from, int64_t ld, int64_t n, int64_t K, int V, int64_t u0) {
    const int units = u0 < n ? least(LANES, n - u0) : 0;
#if BF16
    for (int part = 0; part <= SPLIT; part++)
        for (int64_t k0 = 0; k0 < K; k0 += 2 * LANES) {
            const int numbers = least(2 * LANES, K - k0);
            union { halves half[2]; vec whole; } r[LANES];
            memset(r, 0, sizeof(r));
            for (int lane = 0; lane < units; lane++) {
                const real *p = from + (u0 + lane) * ld + k0;
                const vec high = numbers > LANES ? load(p + LANES, numbers - LANES) : splat(0);
                r[lane].half[0] = halves_of(split_part(load(p, numbers), part));
                r[lane].half[1] = halves_of(split_part(high, part));
            }
            transpose(&r->whole);
            for (int k = 0; k < PAIRS(numbers); k++, to += V * LANES) *(vec *)to = r[k].whole;
        }
#else
    for (int64_t k0 = 0; k0 < K; k0 += LANES, to += LANES * V * LANES) {
        const int numbers = least(LANES, K - k0);
        vec r[LANES] = {0};
        for (int lane = 0; lane < units; lane++) r[lane] = load(from + (u0 + lane) * ld + k0, numbers);
        transpose(r);
        for (int k = 0; k < numbers; k++) *(vec *)(to + k * V * LANES) = r[k];
    }
#endif
}

/* The same for a matrix [K, n] that is read by columns. */
INLINE void pack_columns(factor *restrict to, const real *from, int64_t ld, int64_t n, int64_t K, int V, int64_t u0) {
    const int units = u0 < n ? least(LANES, n - u0) : 0;
#if BF16
    for (int part = 0; part <= SPLIT; part++)
        for (int64_t k = 0; k < 2 * PAIRS(K); k += 2, to += V * LANES) {
            const real *p = from + k * ld + u0;
            const vec low = units && k < K ? load(p, units) : splat(0);
            const vec high = units && k + 1 < K ? load(p + ld, units) : splat(0);
            *(factors *)to = pairs_of(low, high, part);
        }
#else
    for (int64_t k = 0; k < K; k++) *(vec *)(to + k * V * LANES) = units ? load(from + k * ld + u0, units) : splat(0);
#endif
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
