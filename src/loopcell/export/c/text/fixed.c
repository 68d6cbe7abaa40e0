/* A number with `down` bits fewer after its point, rounded to the nearest, halves upwards; below zero, more bits. */
static inline int64_t moved(int64_t x, int down) {
    return down > 0 ? (x + ((int64_t)1 << (down - 1))) >> down : x * ((int64_t)1 << -down);
}

/* Of 23 bits and a sign, where nothing that reads it can tell what is clipped. */
static inline int32_t narrow_quietly(int64_t x, int down) {
    const int64_t y = moved(x, down);
    return y > 8388607 ? 8388607 : y < -8388607 ? -8388607 : (int32_t)y;
}

/* Of 23 bits and a sign. */
static inline int32_t narrow(int64_t x, int down, int *clipped) {
    const int64_t y = moved(x, down);
    *clipped |= y > 8388607 || y < -8388607;
    return y > 8388607 ? 8388607 : y < -8388607 ? -8388607 : (int32_t)y;
}

/* Of 15 bits and a sign, as numbers are stored. */
static inline int16_t stored(int64_t x, int down, int *clipped) {
    const int64_t y = moved(x, down);
    *clipped |= y > 32767 || y < -32767;
    return (int16_t)(y > 32767 ? 32767 : y < -32767 ? -32767 : y);
}

/* A number with `up` more bits after its point. */
static inline int64_t lifted(int32_t x, int up) { return x * ((int64_t)1 << up); }

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t magnitude(int64_t a) { return a < 0 ? -a : a; }

static inline int64_t positive(int64_t a) { return a > 0 ? a : 0; }

/* a / b with 23 more bits after the point, rounded towards zero; by zero it is larger than all. */
static inline int64_t ratio(int32_t a, int32_t b) {
    if (!b) return a < 0 ? -((int64_t)1 << 46) : (int64_t)1 << 46;
    return lifted(a, 23) / b;
}

/* The square root, rounded down, digit by digit; 0 of what is negative. */
static inline int64_t root(int64_t x) {
    int64_t y = 0;
    if (x < 0) return 0;
    for (int64_t digit = (int64_t)1 << 60; digit; digit >>= 2) {
        const int64_t next = y + digit;
        y >>= 1;
        if (x < next) continue;
        x -= next;
        y += digit;
    }
    return y;
}

/* A function between the two entries of a table around a place, `bits` of which are the way from one to the next; with 8
 * more bits after the point than an entry. */
static inline int32_t between(const int16_t *entries, int32_t at, int bits) {
    const int32_t interval = at >> bits, rest = at & ((1 << bits) - 1), first = entries[interval];
    return first * 256 + (((entries[interval + 1] - first) * rest + (1 << (bits - 9))) >> (bits - 8));
}

/* Of an argument of 23 bits, up to 8; an odd function. */
static inline int32_t tanh_of(const int16_t *entries, int32_t x) {
    return x < 0 ? -between(entries, -x, 14) : between(entries, x, 14);
}

/* Of an argument of 23 bits, up to 16; the function of -x is 1 less that of x. */
static inline int32_t sigmoid_of(const int16_t *entries, int32_t x) {
    return x < 0 ? 8388608 - between(entries, -x, 14) : between(entries, x, 14);
}

/* Of an argument of 23 bits, by a table of all of them. */
static inline int32_t function_of(const int16_t *entries, int32_t x) { return between(entries, x + 8388608, 15); }
