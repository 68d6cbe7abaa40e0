/* y = W x, where most of W is zero: of every ROWS rows only the columns are stored that are not zero in all of them.
 * `places` says how many these are, and which; then come those of the next ROWS rows. */
static void sparse_product(const int8_t *restrict w, const uint16_t *restrict places, const float *restrict scales,
                           const float *restrict x, int columns, int rows, float *restrict y) {
    int16_t narrow[MOST_COLUMNS];
    const float down = narrowed(x, columns, narrow);
    for (int row = 0; row < rows; row += ROWS) {
        int32_t sums[ROWS] = {0};
        for (int left = down > 0.0f ? *places++ : 0; left > 0; left--, w += ROWS) {
            const int32_t at = narrow[*places++];
            for (int lane = 0; lane < ROWS; lane++) sums[lane] += w[lane] * at;
        }
        for (int lane = 0; lane < ROWS; lane++)
            y[row + lane] = down > 0.0f ? (float)sums[lane] * (scales[row + lane] * down) : down;
    }
}
