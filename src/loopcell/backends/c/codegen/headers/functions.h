/* Functions of the op table over vectors. The numbers are in coefficients.h.
 *
 * exp, sigmoid, tanh and softplus stand on e^x = 2^n e^r, with n the whole number nearest to x / ln(2): r is small, and
 * a polynomial gives e^r - 1. To round to n, a number is added that is so large (SHIFT) that nothing after the point is
 * left; n then stands in the low bits of the sum, and a shift puts it where the exponent of 2^n belongs.
 * With AVX-512 a table of 16 floats is one register, and reading it one instruction. There, in fp32, n goes by
 * sixteenths, the fractions of 2^n are in a table, and r is so small that the polynomial is short. Where operands of products
 * are rounded to bfloat16 (SHORT), exp, sigmoid, tanh and softplus are there within 2^-14 of the exact value, a 32nd of bfloat16's unit.
 */
#if defined(AVX512) && !REAL_IS_DOUBLE
#define TABLES
#define STEP_BITS 4
#define LOOK_UP(table, index) _mm512_permutexvar_ps((__m512i)(index), _mm512_load_ps(table))
#else
#define STEP_BITS 0
#endif

/* e^LOWEST is 0 and e^HIGHEST infinite, tanh(FLAT) is 1. SCALE keeps the powers in a sigmoid from being subnormal. */
#if REAL_IS_DOUBLE
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define LOWEST -746
#define HIGHEST 710
#define FLAT 20
#define SCALE 64
#define SMALLEST_NORMAL DBL_MIN
#else
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define LOWEST -104
#define HIGHEST 89
#define FLAT 9.3f
#define SCALE 24
#define SMALLEST_NORMAL FLT_MIN
#endif
#define SHIFT ((real)(3ull << (MANTISSA_BITS - STEP_BITS - 1)))
#define ONE_BITS ((integer)EXPONENT_BIAS << MANTISSA_BITS)
#define HALF_BIT ((integer)1 << (MANTISSA_BITS - 1)) /* 1.5 has it, and no other */
#define SIGN_BIT ((integer)(1ull << (sizeof(real) * 8 - 1)))

/* b where the two are equal or one is NaN, as x86 has it. */
#ifdef X86
INLINE vec lesser(vec a, vec b) { return X86(min)(a, b); }
INLINE vec larger(vec a, vec b) { return X86(max)(a, b); }
INLINE vec v_sqrt(vec a) { return X86(sqrt)(a); }
#else
INLINE vec lesser(vec a, vec b) { return choose(a < b, a, b); }
INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }
INLINE vec v_sqrt(vec a) {
#ifdef NEON
    return NEON(vsqrt)(a);
#else
    for (int lane = 0; lane < LANES; lane++) a[lane] = REAL_IS_DOUBLE ? sqrt(a[lane]) : sqrtf(a[lane]);
    return a;
#endif
}
#endif

/* As torch: a NaN in either operand is the result, and of two zeros the second; relu keeps -0. */
INLINE vec v_min(vec a, vec b) { return choose(a != a, a, lesser(a, b)); }
INLINE vec v_max(vec a, vec b) { return choose(a != a, a, larger(a, b)); }
INLINE vec v_relu(vec a) { return larger(splat(0), a); }
INLINE vec v_abs(vec a) { return (vec)((bits)a & ~SIGN_BIT); }

INLINE vec clamped(vec x, real low, real high) { return larger(splat(low), lesser(splat(high), x)); }
INLINE vec signed_as(vec a, vec b) { return (vec)((bits)a | ((bits)b & SIGN_BIT)); }

/* terms[0] + sign terms[1] x + terms[2] x^2 + ...; a long one as two chains in x^2 that do not wait for each other. */
#define POLYNOMIAL(x, sign, terms) polynomial(x, sign, terms, (int)(sizeof(terms) / sizeof(*terms)))
INLINE vec polynomial(vec x, int sign, const real *terms, int count) {
#define TERM(k) splat((k) % 2 ? sign * terms[k] : terms[k])
    vec sum = TERM(count - 1);
    if (count < 7) {
        for (int k = count - 2; k >= 0; k--) sum = mul_add(sum, x, TERM(k));
        return sum;
    }
    const vec z = x * x;
    vec other = TERM(count - 2);
    for (int k = count - 3; k >= 0; k -= 2) sum = mul_add(sum, z, TERM(k));
    for (int k = count - 4; k >= 0; k -= 2) other = mul_add(other, z, TERM(k));
    return count % 2 ? mul_add(other, x, sum) : mul_add(sum, x, other);
}

/* e^(sign x) = 2^n (1 + sign q). The low bits of t are n + offset. */
typedef struct {
    vec t, n, q;
} power;

INLINE power power_of(vec x, int sign, real offset) {
    const vec t = mul_add(x, splat(sign * LOG2_E), splat(SHIFT + offset)), n = t - (SHIFT + offset);
    const vec near = add_mul(x, -sign, n, splat(LN2_HIGH));
#if defined(TABLES) && SHORT
    const vec r = near;
#else
    const vec r = add_mul(near, -sign, n, splat(LN2_LOW));
#endif
#ifdef TABLES
    const vec small = near; /* near enough to r for the small terms, and sooner there */
#else
    const vec small = r;
#endif
    return (power){t, n, add_mul(r, sign, small * small, POLYNOMIAL(small, sign, EXP_TERMS))};
}

INLINE vec v_exp(vec x) {
    const power p = power_of(clamped(x, LOWEST, HIGHEST), 1, 0);
#if defined(TABLES)
    const vec root = LOOK_UP(ROOTS, p.t);
    return X86(scalef)(mul_add(root, p.q, root), p.n);
#elif defined(AVX512)
    return X86(scalef)(p.q + 1, p.n);
#else /* 2^n in two factors, so that neither is subnormal or infinite */
    const bits n = (bits)p.t, half = n >> 1, other = n - half;
    return (p.q + 1) * (vec)((half << MANTISSA_BITS) + ONE_BITS) * (vec)((other << MANTISSA_BITS) + ONE_BITS);
#endif
}

/* 1 / (1 + e^-x), with a UNIT for 1 that keeps UNIT e^-x among the normal numbers. Its digits are chosen as well: they
 * decide where the denominator is rounded coarsely, and with tables how exact the 16 powers are. */
INLINE vec v_sigmoid(vec x) {
    const power p = power_of(clamped(x, LOWEST, SCALE), -1, EXPONENT_BIAS - SCALE);
#ifdef TABLES
    const vec scale = (vec)(((bits)p.t << (MANTISSA_BITS - STEP_BITS)) + (bits)LOOK_UP(UNIT_ROOTS, p.t));
#else
    const vec scale = (vec)(((bits)p.t << MANTISSA_BITS) + HALF_BIT);
#endif
    const vec sum = scale + add_mul(splat(UNIT), -1, scale, p.q);
#if defined(TABLES) && SHORT
    const vec share = UNIT * (vec)_mm512_rcp14_ps((__m512)sum); /* NaN and infinity as a quotient has them */
    /* The reciprocal may lie above the true one, and no gate lets through more than all. NaN, as the second, passes. */
    return (vec)_mm512_min_ps((__m512)splat(1), (__m512)share);
#else
    return UNIT / sum;
#endif
}

#ifdef TABLES
/* 16 cells between 0 and FLAT, each with a polynomial in the distance from its edge. Moved by TANH_START they are
 * quarters of octaves, so that a cell's number is read from the bits. */
INLINE vec v_tanh(vec x) {
    const vec a = lesser(splat(FLAT), v_abs(x)), moved = a + TANH_START;
    const bits cell = (bits)moved >> (MANTISSA_BITS - 2);
    const vec from_edge = a - ((vec)(cell << (MANTISSA_BITS - 2)) - TANH_START);
    const int last = (int)(sizeof(TANH_TERMS) / sizeof(*TANH_TERMS)) - 1;
    vec y = LOOK_UP(TANH_TERMS[last], cell);
    _Pragma("GCC unroll 8") for (int k = last - 1; k >= 0; k--) y = mul_add(y, from_edge, LOOK_UP(TANH_TERMS[k], cell));
    return signed_as(y, x);
}
#else
/* (1 - e) / (1 + e) with e = e^-2|x| = 2^n (1 - q). Near 0, n is 0 and the numerator q, so that no digits are lost. */
INLINE vec v_tanh(vec x) {
    const vec a = lesser(splat(FLAT), v_abs(x));
    const power p = power_of(a + a, -1, EXPONENT_BIAS);
    const vec scale = (vec)((bits)p.t << MANTISSA_BITS);
    return signed_as(mul_add(scale, p.q, 1 - scale) / add_mul(1 + scale, -1, scale, p.q), x);
}
#endif

/* log(2^k (1 + f)), with 1 + f between the roots of 1/2 and 2: f - f^2/2 + s (f^2/2 + rest), where s = f / (2 + f). */
INLINE vec log_of(vec f, vec k) {
    const vec s = f / (f + 2), z = s * s, half = f * f * (real)0.5, rest = z * POLYNOMIAL(z, 1, LOG_TERMS);
    return mul_add(k, splat(LN2_HIGH), f - (half - mul_add(s, half + rest, k * LN2_LOW)));
}

INLINE vec v_log(vec x) {
    const bits small = x < SMALLEST_NORMAL;
    const vec normal = choose(small, v_abs(x) * ((integer)1 << MANTISSA_BITS), x);
    const bits k = ((bits)normal - ROOT_HALF_BITS) >> MANTISSA_BITS;
    const real shift = (real)(3ull << (MANTISSA_BITS - 1));
    vec whole = (vec)(k + (bits)splat(shift)) - shift; /* k as a real */
    whole = choose(small, whole - MANTISSA_BITS, whole);
    vec y = log_of((vec)((bits)normal - (k << MANTISSA_BITS)) - 1, whole);
    y = choose(x < INFINITY, y, x);
    return choose(x > 0, y, choose(x == 0, splat(-INFINITY), splat(NAN)));
}

/* max(x, 0) + log(1 + e^-|x|) */
INLINE vec v_softplus(vec x) {
    const vec e = v_exp(-v_abs(x));
    const bits high = e > (real)0.41421356237309504880; /* 1 + e beyond the root of 2: half of it has its log taken */
    return larger(splat(0), x) + log_of(choose(high, (e - 1) * (real)0.5, e), choose(high, splat(1), splat(0)));
}
