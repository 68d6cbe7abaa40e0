/* Functions of the op table over vectors. */
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
