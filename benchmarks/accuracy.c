/* The functions in double precision, and how far floats are from them. Built by accuracy.py. */
#include <math.h>
#include <stdint.h>
#include <string.h>

static double sigmoid(double x) {
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* The floats whose bits are first, first + 1, ... */
void inputs(uint64_t first, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)(first + (uint64_t)i);
        memcpy(to + i, &bits, sizeof bits);
    }
}

#define EXACT(name, function) \
    void exact_##name(const float *x, int64_t count, double *to) { for (int64_t i = 0; i < count; i++) to[i] = function(x[i]); }
EXACT(exp, exp)
EXACT(log, log)
EXACT(sqrt, sqrt)
EXACT(tanh, tanh)
EXACT(sigmoid, sigmoid)
EXACT(softplus, softplus)

/* What has no distance is right, or infinitely wrong: NaN, infinities, the sign of a zero. */
static double error_at_the_edge(float found, double exact) {
    if (isnan(exact)) return isnan(found) ? 0 : INFINITY;
    return found == (float)exact && !signbit(found) == !signbit(exact) ? 0 : INFINITY;
}

/* In units in the last place of the float nearest to `exact`. */
static double error(float found, double exact) {
    if (!isfinite(found) || !isfinite((float)exact) || exact == 0) return error_at_the_edge(found, exact);
    int64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    int64_t exponent = (bits >> 52 & 2047) - 1023;
    if (exponent < -126) exponent = -126; /* subnormal floats lie evenly */
    bits = (1023 + 23 - exponent) << 52;
    double per_unit;
    memcpy(&per_unit, &bits, sizeof bits);
    return fabs((double)found - exact) * per_unit;
}

/* Return the worst error and set where it is; count results that are the nearest float. */
double worst(const float *found, const double *exact, int64_t count, int64_t *where, int64_t *nearest) {
    double most = -1;
    for (int64_t i = 0; i < count; i++) {
        const double e = error(found[i], exact[i]);
        if (e > most) most = e, *where = i;
        *nearest += found[i] == (float)exact[i] || (isnan(found[i]) && isnan(exact[i]));
    }
    return most;
}
