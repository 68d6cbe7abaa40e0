/* y = W x in whole numbers, with W row after row: each sum is exact, and has `down` bits fewer after its point than the
 * products of which it is one. */
static void product(const WEIGHT *restrict w, SCALES const int16_t *restrict x, int columns, int rows, int down,
                    int32_t *restrict y, int *clipped) {
    for (int row = 0; row < rows; row += 4, w += 4 * (ptrdiff_t)columns) {
        TOTAL y0 = 0, y1 = 0, y2 = 0, y3 = 0;
        for (int column = 0; column < columns; column++) {
            const int32_t at = x[column];
            y0 += w[column] * at;
            y1 += w[columns + column] * at;
            y2 += w[2 * columns + column] * at;
            y3 += w[3 * columns + column] * at;
        }
        y[row] = narrow(SCALED(y0, row), down, clipped);
        y[row + 1] = narrow(SCALED(y1, row + 1), down, clipped);
        y[row + 2] = narrow(SCALED(y2, row + 2), down, clipped);
        y[row + 3] = narrow(SCALED(y3, row + 3), down, clipped);
    }
}
