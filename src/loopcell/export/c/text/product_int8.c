/* y = W x, with W row after row in whole numbers of 8 bits, each row times a scale of its own. Sums of whole numbers may be
 * taken in any order, so that every compiler can write them with the machine's vectors. */
static void product(const int8_t *restrict w, const float *restrict scales, const float *restrict x, int columns,
                    int rows, float *restrict y) {
    int16_t narrow[MOST_COLUMNS];
    const float down = narrowed(x, columns, narrow);
    if (!(down > 0.0f)) {
        for (int row = 0; row < rows; row++) y[row] = down;
        return;
    }
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
