/* The Fourier transform of `count` complex numbers (re, im, re, im, ...) in place, count a power of two. `turns` has
 * cos and sin of 2 pi k / (2 count), k = 0 to count - 1. */
static void fourier(float *z, int count, const float *turns) {
    for (int i = 1, j = 0; i < count; i++) { /* into the order of the bits from behind */
        int bit = count >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            const float re = z[2 * i], im = z[2 * i + 1];
            z[2 * i] = z[2 * j];
            z[2 * i + 1] = z[2 * j + 1];
            z[2 * j] = re;
            z[2 * j + 1] = im;
        }
    }
    for (int half = 1; half < count; half *= 2)
        for (int i = 0; i < half; i++) {
            const float cosine = turns[2 * (i * (count / half))], sine = -turns[2 * (i * (count / half)) + 1];
            for (int at = i; at < count; at += 2 * half) {
                float *a = z + 2 * at, *b = a + 2 * half;
                const float re = b[0] * cosine - b[1] * sine, im = b[0] * sine + b[1] * cosine;
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
        }
}
