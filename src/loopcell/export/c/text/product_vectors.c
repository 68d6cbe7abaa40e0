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

#if NARROW
typedef uint16_t halves __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint32_t bits __attribute__((vector_size(LANES * 4)));

/* A bfloat16 is the upper half of a float. */
static inline __attribute__((always_inline)) vec widened(const uint16_t *at) {
    return (vec)(__builtin_convertvector(*(const halves *)at, bits) << 16);
}
#endif

/* The sums of `blocks` blocks of 16 rows side by side, so that none waits for the one before it. */
static inline __attribute__((always_inline)) void block_product(
    const WEIGHT *restrict w, const float *restrict x, int columns, int blocks, float *restrict y) {
    vec sums[8] = {{0.0f}};
    for (int column = 0; column < columns; column++) {
_Pragma("GCC unroll 16")
        for (int part = 0; part < blocks * PARTS; part++) {
            const WEIGHT *restrict at = w + (part / PARTS * columns + column) * 16 + part % PARTS * LANES;
            sums[part] += LOAD(at) * x[column];
        }
    }
_Pragma("GCC unroll 16")
    for (int part = 0; part < blocks * PARTS; part++) *(vec *)(y + part * LANES) = sums[part];
}

/* y = W x. W lies in blocks of 16 rows, and in a block column after column. */
static void product(const WEIGHT *restrict w, const float *restrict x, int columns, int rows, float *restrict y) {
    int row = 0;
#if PARTS == 1
    for (; row + 128 <= rows; row += 128) block_product(w + (ptrdiff_t)row * columns, x, columns, 8, y + row);
#endif
#if PARTS < 4
    for (; row + 64 <= rows; row += 64) block_product(w + (ptrdiff_t)row * columns, x, columns, 4, y + row);
#endif
    for (; row + 32 <= rows; row += 32) block_product(w + (ptrdiff_t)row * columns, x, columns, 2, y + row);
    for (; row < rows; row += 16) block_product(w + (ptrdiff_t)row * columns, x, columns, 1, y + row);
}
