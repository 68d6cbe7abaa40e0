/* Rounds x to whole numbers of as many bits as let no sum of products with 8 bits leave 32: at least 12 for up to 4,096
 * columns, 15 for up to 518. Gives what one of them is worth; 0 and NaN where all products are that: numbers below 1e-30
 * leave no trace, and those that are not finite cannot be rounded. */
static float narrowed(const float *restrict x, int columns, int16_t *restrict narrow) {
    const int32_t limit = 16909320 / columns < 32639 ? 16909320 / columns : 32639;
    uint32_t most = 0;
    for (int column = 0; column < columns; column++) {
        const uint32_t bits = bits_of(x[column]) & 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    if (most >= 0x7f800000u || most < 0x0da24260u) return most < 0x0da24260u ? 0.0f : float_of(0x7fc00000u);
    const float up = (float)limit / float_of(most);
    for (int column = 0; column < columns; column++)
        narrow[column] = (int16_t)(x[column] * up + (x[column] < 0.0f ? -0.5f : 0.5f));
    return float_of(most) / (float)limit;
}
