/* The tile instructions of x86 (AMX) in plain C, as Intel's manual writes them (SDM volume 2: LDTILECFG, TILELOADD, TILESTORED,
 * TILEZERO, TDPBF16PS), so that what is written for them runs, slowly, on every CPU. What raises #UD or #GP there ends the
 * process here. Of a NaN only that it is one is modelled; whether a result is subnormal is asked after rounding it. */
static __thread struct {
    int rows[8], bytes[8];         /* of a tile; 0 before it is configured */
    uint32_t row[8][16][16];
} model_tiles;

static void model_check(int good) {
    if (!good) __builtin_trap();
}

/* palette, first row, 14 zeros, 16 lengths of rows in bytes, 16 numbers of rows; those past the eighth are 0 */
static __attribute__((unused)) void model_configure(const uint8_t *config) {
    memset(&model_tiles, 0, sizeof(model_tiles));
    model_check(config[0] == 1 && config[1] == 0);
    for (int i = 2; i < 16; i++) model_check(!config[i]);
    for (int tile = 0; tile < 16; tile++) {
        uint16_t bytes;
        memcpy(&bytes, config + 16 + 2 * tile, sizeof(bytes));
        model_check(tile < 8 ? bytes <= 64 && config[48 + tile] <= 16 && !bytes == !config[48 + tile] : !bytes && !config[48 + tile]);
        if (tile < 8) model_tiles.bytes[tile] = bytes, model_tiles.rows[tile] = config[48 + tile];
    }
}

static __attribute__((unused)) void model_zero(int tile) {
    model_check(model_tiles.rows[tile]);
    memset(model_tiles.row[tile], 0, sizeof(model_tiles.row[tile]));
}

static __attribute__((unused)) void model_load(int tile, const char *from, int64_t stride) {
    model_zero(tile);
    for (int m = 0; m < model_tiles.rows[tile]; m++)
        memcpy(model_tiles.row[tile][m], from + m * stride, (size_t)model_tiles.bytes[tile]);
}

static __attribute__((unused)) void model_store(int tile, char *to, int64_t stride) {
    model_check(model_tiles.rows[tile]);
    for (int m = 0; m < model_tiles.rows[tile]; m++)
        memcpy(to + m * stride, model_tiles.row[tile][m], (size_t)model_tiles.bytes[tile]);
}

/* Subnormal numbers are 0, as operands and as results. */
static inline float model_flushed(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }
static inline float model_widened(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return model_flushed(x);
}
static inline float model_fma(float a, float b, float c) { return model_flushed(fmaf(a, b, c)); }

/* Even and odd products have sums of their own, that start at 0, are added to each other, and then to what is there. */
static __attribute__((unused)) void model_dot(int sums, int rows, int weights) {
    const int M = model_tiles.rows[sums], N = model_tiles.bytes[sums] / 4, K = model_tiles.bytes[rows] / 4;
    model_check(sums != rows && sums != weights && rows != weights && M && N && K);
    model_check(model_tiles.rows[rows] == M && model_tiles.rows[weights] == K && model_tiles.bytes[weights] == 4 * N);
    for (int m = 0; m < M; m++) {
        float even[16] = {0}, odd[16] = {0};
        for (int k = 0; k < K; k++) {
            const uint32_t a = model_tiles.row[rows][m][k];
            const float low = model_widened(a << 16), high = model_widened(a & 0xffff0000u);
            for (int n = 0; n < N; n++) {
                const uint32_t b = model_tiles.row[weights][k][n];
                even[n] = model_fma(low, model_widened(b << 16), even[n]);
                odd[n] = model_fma(high, model_widened(b & 0xffff0000u), odd[n]);
            }
        }
        for (int n = 0; n < N; n++) {
            const float sum = model_flushed(model_widened(model_tiles.row[sums][m][n]) + model_flushed(even[n] + odd[n]));
            memcpy(&model_tiles.row[sums][m][n], &sum, sizeof(sum));
        }
    }
}

#define TILE_LOAD(tile, at, stride) model_load(tile, (const char *)(at), stride)
#define TILE_STORE(tile, at, stride) model_store(tile, (char *)(at), stride)
#define TILE_ZERO(tile) model_zero(tile)
#define TILE_DOT(sums, rows, weights) model_dot(sums, rows, weights)
#define TILE_CONFIGURE(from) model_configure((const uint8_t *)(from))
#define TILE_RELEASE() memset(&model_tiles, 0, sizeof(model_tiles))
