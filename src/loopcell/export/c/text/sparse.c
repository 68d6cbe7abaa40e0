/* y = W x, where most of W is zero: of every ROWS rows only the columns are stored that are not zero in all of them.
 * `places` says how many these are, and which; then come those of the next ROWS rows. */
static void sparse_product(const WEIGHT *restrict w, const uint16_t *restrict places, const float *restrict x, int columns,
                           int rows, float *restrict y) {
    (void)columns;
    for (int row = 0; row < rows; row += ROWS) {
        float sums[ROWS] = {0.0f};
        for (int left = *places++; left > 0; left--, w += ROWS) {
            const float at = x[*places++];
            for (int lane = 0; lane < ROWS; lane++) sums[lane] += WIDE(w[lane]) * at;
        }
        for (int lane = 0; lane < ROWS; lane++) y[row + lane] = sums[lane];
    }
}
