/* The bits of a float, which C99 reads through a union. */
typedef union {
    float number;
    uint32_t bits;
} word;

static inline uint32_t bits_of(float x) {
    word w;
    w.number = x;
    return w.bits;
}

static inline float float_of(uint32_t bits) {
    word w;
    w.bits = bits;
    return w.number;
}

/* b where the two are equal or one of them is NaN. */
static inline float lesser(float a, float b) { return a < b ? a : b; }

static inline float larger(float a, float b) { return a > b ? a : b; }

static inline float f_abs(float x) { return float_of(bits_of(x) & 0x7fffffffu); }

static inline float f_relu(float x) { return larger(0.0f, x); }

/* A NaN in either operand is the result. */
static inline float f_min(float a, float b) { return a != a ? a : lesser(a, b); }

static inline float f_max(float a, float b) { return a != a ? a : larger(a, b); }

static inline float f_greater(float a, float b) { return a > b ? 1.0f : 0.0f; }

static inline float f_where(float condition, float a, float b) { return condition != 0.0f ? a : b; }

/* e^x = 2^n (1 + q): n is the whole number nearest to x / ln(2), and stands, with `offset` added, in the low bits of t.
 * To round to n, a number is added that is so large (SHIFT) that nothing after the point is left of the sum. */
typedef struct {
    float t, q;
} power;

static inline power power_of(float x, float offset) {
    const float t = x * LOG2_E + (SHIFT + offset);
    const float n = t - (SHIFT + offset);
    const float r = (x - n * LN2_HIGH) - n * LN2_LOW;
    float sum = EXP_4;
    power p;
    sum = sum * r + EXP_3;
    sum = sum * r + EXP_2;
    sum = sum * r + EXP_1;
    sum = sum * r + EXP_0;
    p.t = t;
    p.q = r + r * r * sum;
    return p;
}

/* 2^n in two factors, so that neither is subnormal or infinite. */
static inline float f_exp(float x) {
    const power p = power_of(larger(-104.0f, lesser(89.0f, x)), 0.0f);
    const uint32_t n = bits_of(p.t), half = n >> 1, other = n - half;
    return (p.q + 1.0f) * float_of((half << 23) + 0x3f800000u) * float_of((other << 23) + 0x3f800000u);
}

/* UNIT / (UNIT + UNIT e^-x): with UNIT = 1.5 2^-24 for 1 no power is subnormal. */
static inline float f_sigmoid(float x) {
    const power p = power_of(-larger(-104.0f, lesser(24.0f, x)), 103.0f);
    const float scale = float_of((bits_of(p.t) << 23) + 0x00400000u);
    return UNIT / (scale + (UNIT + scale * p.q));
}

/* (1 - e) / (1 + e) with e = e^-2|x|; near 0, where n is 0, the numerator is -q, so that no digits are lost. */
static inline float f_tanh(float x) {
    const float a = lesser(9.3f, f_abs(x));
    const power p = power_of(-2.0f * a, 127.0f);
    const float scale = float_of(bits_of(p.t) << 23);
    const float y = ((1.0f - scale) - scale * p.q) / ((1.0f + scale) + scale * p.q);
    return float_of(bits_of(y) | (bits_of(x) & 0x80000000u));
}

/* log(2^k (1 + f)), with 1 + f between the roots of 1/2 and 2: f - f^2/2 + s (f^2/2 + rest), where s = f / (2 + f). */
static inline float log_of(float f, float k) {
    const float s = f / (f + 2.0f), z = s * s, half = f * f * 0.5f;
    const float rest = z * (((LOG_3 * z + LOG_2) * z + LOG_1) * z + LOG_0);
    return k * LN2_HIGH + (f - (half - (s * (half + rest) + k * LN2_LOW)));
}

static inline float f_log(float x) {
    const float normal = x < 0x1p-126f ? x * 0x1p23f : x;
    const uint32_t k = (bits_of(normal) - ROOT_HALF_BITS + 0x3f800000u) >> 23; /* the exponent, and 127 */
    const float whole = (float)(int32_t)k - (x < 0x1p-126f ? 150.0f : 127.0f);
    const float y = log_of(float_of(bits_of(normal) - ((k - 127u) << 23)) - 1.0f, whole);
    const float finite = x < float_of(0x7f800000u) ? y : x;
    return x > 0.0f ? finite : float_of(x == 0.0f ? 0xff800000u : 0x7fc00000u);
}

/* max(x, 0) + log(1 + e^-|x|); where 1 + e is beyond the root of 2, half of it has its log taken. */
static inline float f_softplus(float x) {
    const float e = f_exp(-f_abs(x));
    const float high = e > 0.41421356f ? 1.0f : 0.0f;
    return larger(0.0f, x) + log_of(high > 0.0f ? (e - 1.0f) * 0.5f : e, high);
}

/* x / sqrt(x) by three steps of Newton's method for the divisor, and one for the root. */
static inline float f_sqrt(float x) {
    const float scaled = x < 0x1p-100f ? x * 0x1p40f : x * 0x1p-20f;
    float inverse = float_of(0x5f3759dfu - (bits_of(scaled) >> 1));
    float root;
    inverse = inverse * (1.5f - 0.5f * scaled * inverse * inverse);
    inverse = inverse * (1.5f - 0.5f * scaled * inverse * inverse);
    inverse = inverse * (1.5f - 0.5f * scaled * inverse * inverse);
    root = scaled * inverse;
    root = root + 0.5f * inverse * (scaled - root * root);
    root = root * (x < 0x1p-100f ? 0x1p-20f : 0x1p10f);
    root = x < float_of(0x7f800000u) ? root : x;
    return x > 0.0f ? root : (x == 0.0f ? x : float_of(0x7fc00000u));
}
