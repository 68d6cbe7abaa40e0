/* y = W x. W lies in blocks of 4 rows, and in a block column after column: four sums share a read of x. */
static void product(const WEIGHT *restrict w, const float *restrict x, int columns, int rows, float *restrict y) {
    for (int row = 0; row < rows; row += 4) {
        float y0 = 0.0f, y1 = 0.0f, y2 = 0.0f, y3 = 0.0f;
        for (int column = 0; column < columns; column++, w += 4) {
            y0 += WIDE(w[0]) * x[column];
            y1 += WIDE(w[1]) * x[column];
            y2 += WIDE(w[2]) * x[column];
            y3 += WIDE(w[3]) * x[column];
        }
        y[row] = y0;
        y[row + 1] = y1;
        y[row + 2] = y2;
        y[row + 3] = y3;
    }
}
