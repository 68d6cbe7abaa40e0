/* y = W x, with W row after row in whole numbers of 8 bits, each row times a scale of its own. x is rounded to whole
 * numbers too, of as many bits as let no sum leave 32: at least 12 for up to 4,096 columns, 15 for up to 518. Sums of
 * whole numbers may be taken in any order, so that every compiler can write them with the machine's vectors. */
static void product(const int8_t *restrict w, const float *restrict scales, const float *restrict x, int columns,
                    int rows, float *restrict y) {
    int16_t narrow[MOST_COLUMNS];
    const int32_t limit = 16909320 / columns < 32639 ? 16909320 / columns : 32639;
    uint32_t most = 0;
    for (int column = 0; column < columns; column++) {
        const uint32_t bits = bits_of(x[column]) & 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    /* Numbers that are not finite cannot be rounded, and those below 1e-30 leave no trace. */
    if (most >= 0x7f800000u || most < 0x0da24260u) {
        for (int row = 0; row < rows; row++) y[row] = most >= 0x7f800000u ? float_of(0x7fc00000u) : 0.0f;
        return;
    }
    const float up = (float)limit / float_of(most), down = float_of(most) / (float)limit;
    for (int column = 0; column < columns; column++)
        narrow[column] = (int16_t)(x[column] * up + (x[column] < 0.0f ? -0.5f : 0.5f));
    for (int row = 0; row < rows; row += 4, w += 4 * columns) {
        int32_t y0 = 0, y1 = 0, y2 = 0, y3 = 0;
        for (int column = 0; column < columns; column++) {
            const int32_t at = narrow[column];
            y0 += w[column] * at;
            y1 += w[columns + column] * at;
            y2 += w[2 * columns + column] * at;
            y3 += w[3 * columns + column] * at;
        }
        y[row] = (float)y0 * (scales[row] * down);
        y[row + 1] = (float)y1 * (scales[row + 1] * down);
        y[row + 2] = (float)y2 * (scales[row + 2] * down);
        y[row + 3] = (float)y3 * (scales[row + 3] * down);
    }
}
