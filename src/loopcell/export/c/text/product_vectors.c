/* Vectors as GCC and Clang have them, as wide as the machine's; 16 rows of a matrix are one or more of them. */
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define PARTS (16 / LANES)
typedef float vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#if PAIRS
typedef uint32_t pairs __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

/* A bfloat16 is the upper half of a float; of two columns, the second is in its place already. */
#define FIRST(two) ((vec)((two) << 16))
#define SECOND(two) ((vec)((two) & 0xffff0000u))
#define DEPTH(columns) (((columns) + 1) / 2)
#else
#define DEPTH(columns) (columns)
#endif

/* The sums of `blocks` blocks of 16 rows side by side, so that none waits for the one before it. */
static inline __attribute__((always_inline)) void block_product(
    const WEIGHT *restrict w, const float *restrict x, int columns, int blocks, float *restrict y) {
    vec sums[8] = {{0.0f}};
#if PAIRS
    for (int pair = 0; pair < columns / 2; pair++) {
_Pragma("GCC unroll 16")
        for (int part = 0; part < blocks * PARTS; part++) {
            const WEIGHT *restrict at = w + (part / PARTS * DEPTH(columns) + pair) * 16 + part % PARTS * LANES;
            const pairs two = *(const pairs *)at;
            sums[part] += FIRST(two) * x[2 * pair];
            sums[part] += SECOND(two) * x[2 * pair + 1];
        }
    }
    if (columns % 2) {
_Pragma("GCC unroll 16")
        for (int part = 0; part < blocks * PARTS; part++) {
            const WEIGHT *restrict at = w + (part / PARTS * DEPTH(columns) + columns / 2) * 16 + part % PARTS * LANES;
            sums[part] += FIRST(*(const pairs *)at) * x[columns - 1];
        }
    }
#else
    for (int column = 0; column < columns; column++) {
_Pragma("GCC unroll 16")
        for (int part = 0; part < blocks * PARTS; part++) {
            const WEIGHT *restrict at = w + (part / PARTS * columns + column) * 16 + part % PARTS * LANES;
            sums[part] += *(const vec *)at * x[column];
        }
    }
#endif
_Pragma("GCC unroll 16")
    for (int part = 0; part < blocks * PARTS; part++) *(vec *)(y + part * LANES) = sums[part];
}

/* y = W x. W lies in blocks of 16 rows, and in a block LIES. */
static void product(const WEIGHT *restrict w, const float *restrict x, int columns, int rows, float *restrict y) {
    const ptrdiff_t depth = DEPTH(columns);
    int row = 0;
#if PARTS == 1
    for (; row + 128 <= rows; row += 128) block_product(w + row * depth, x, columns, 8, y + row);
#endif
#if PARTS < 4
    for (; row + 64 <= rows; row += 64) block_product(w + row * depth, x, columns, 4, y + row);
#endif
    for (; row + 32 <= rows; row += 32) block_product(w + row * depth, x, columns, 2, y + row);
    for (; row < rows; row += 16) block_product(w + row * depth, x, columns, 1, y + row);
}
