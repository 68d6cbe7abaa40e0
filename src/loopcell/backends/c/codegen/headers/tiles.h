/* Products on tiles: 16 rows of operands, 16 pairs deep, times 16 pairs of weights for 16 units, in one instruction.
 *
 * Packed weights have the form of tiles: a row of V vectors for each pair, so a tile is one vector of 16 rows in turn. Tiles
 * always have 16 rows. What rows past the last one hold is multiplied too, and nobody reads it.
 */
#define TILE_ROWS 16
#define TILE_BYTES 64
#define LINES __attribute__((aligned(64))) /* a row of a tile is a line of the cache, and is not to be two halves of lines */

/* Before the first product of a thread, and after its last: tiles that are in use are saved at every switch of threads. */
static __attribute__((unused)) void tiles_begin(void) {
    static const struct {
        uint8_t palette, first, none[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } all = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    TILE_CONFIGURE(&all);
}
static __attribute__((unused)) void tiles_end(void) { TILE_RELEASE(); }

/* Of a split number: first times first, first times second, second times first; the rest is below float's last digits. */
#define TERMS (1 + 2 * SPLIT)

/* out[m][v] = (add: out[m][v] +) a[m][k] * w[k][v] for R times 16 rows and P vectors of V. Sums are in tiles 0 to 3: those of
 * two groups of rows 2 apart. One group of rows leaves tile 5 free, for weights. */
#define TILE_PRODUCT(R, P)                                                                                                  \
    static __attribute__((noinline, unused)) void tiles_##R##_##P(const factor *w, const factor *a, int64_t K, int64_t V,     \
                                                                  vec *out, int add) {                                       \
        const int64_t row = V * TILE_BYTES, deep = OPERAND(K) * (int64_t)sizeof(factor);                                     \
        vec *const third = R == 2 ? out + TILE_ROWS * V : out + 2;                                                           \
        const int has_1 = P > 1, has_2 = R == 2 || P > 2, has_3 = R == 2 ? P > 1 : P > 3;                                     \
        TILE_ZERO(0); TILE_ZERO(1); TILE_ZERO(2); TILE_ZERO(3);                                                              \
        if (add) {                                                                                                           \
            TILE_LOAD(0, out, row);                                                                                          \
            if (has_1) TILE_LOAD(1, out + 1, row);                                                                           \
            if (has_2) TILE_LOAD(2, third, row);                                                                             \
            if (has_3) TILE_LOAD(3, third + 1, row);                                                                         \
        }                                                                                                                    \
        for (int term = 0; term < TERMS; term++) {                                                                           \
            const factor *x = a + (term == 2 ? PAIRS(K) : 0), *y = w + (term == 1 ? PAIRS(K) * V * LANES : 0);               \
            for (int64_t k = 0; k < PAIRS(K); k += TILE_ROWS, x += TILE_ROWS, y += TILE_ROWS * V * LANES) {                  \
                TILE_LOAD(4, x, deep);                                                                                       \
                TILE_LOAD(6, y, row);                                                                                        \
                TILE_DOT(0, 4, 6);                                                                                           \
                if (has_1) { TILE_LOAD(7, y + LANES, row); TILE_DOT(1, 4, 7); }                                              \
                if (R == 2) {                                                                                                \
                    TILE_LOAD(5, x + TILE_ROWS * OPERAND(K), deep);                                                          \
                    TILE_DOT(2, 5, 6);                                                                                       \
                    if (has_3) TILE_DOT(3, 5, 7);                                                                            \
                } else {                                                                                                     \
                    if (has_2) { TILE_LOAD(5, y + 2 * LANES, row); TILE_DOT(2, 4, 5); }                                      \
                    if (has_3) { TILE_LOAD(6, y + 3 * LANES, row); TILE_DOT(3, 4, 6); }                                      \
                }                                                                                                            \
            }                                                                                                                \
        }                                                                                                                    \
        TILE_STORE(0, out, row);                                                                                             \
        if (has_1) TILE_STORE(1, out + 1, row);                                                                              \
        if (has_2) TILE_STORE(2, third, row);                                                                                \
        if (has_3) TILE_STORE(3, third + 1, row);                                                                            \
    }
TILE_PRODUCT(1, 1)
TILE_PRODUCT(1, 2)
TILE_PRODUCT(1, 3)
TILE_PRODUCT(1, 4)
TILE_PRODUCT(2, 1)
TILE_PRODUCT(2, 2)

/* The same for m rows, at most 32, and all V vectors. */
INLINE void tile_products(int m, int V, const factor *w, const factor *a, int64_t K, vec *out, int add) {
    for (int v = 0, taken; v < V; v += taken, w += taken * LANES, out += taken) {
        taken = least(m > TILE_ROWS ? 2 : 4, V - v);
        switch ((m > TILE_ROWS) * 4 + taken) {
        case 1: tiles_1_1(w, a, K, V, out, add); break;
        case 2: tiles_1_2(w, a, K, V, out, add); break;
        case 3: tiles_1_3(w, a, K, V, out, add); break;
        case 4: tiles_1_4(w, a, K, V, out, add); break;
        case 5: tiles_2_1(w, a, K, V, out, add); break;
        case 6: tiles_2_2(w, a, K, V, out, add); break;
        }
    }
}
