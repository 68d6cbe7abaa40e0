/* Sum n floats, a number of times: how fast a core can read weights. Eight vectors of sums, so that no addition waits for
 * the one before. */

#include <stdint.h>

enum { SUMS = 8, LANES = 16 };

static float once(const float *weight, int64_t n) {
    float sum[SUMS * LANES] = {0};
    int64_t i = 0;
    for (; i + SUMS * LANES <= n; i += SUMS * LANES)
        for (int lane = 0; lane < SUMS * LANES; lane++)
            sum[lane] += weight[i + lane];
    float total = 0;
    for (; i < n; i++)
        total += weight[i];
    for (int lane = 0; lane < SUMS * LANES; lane++)
        total += sum[lane];
    return total;
}

float sum_all(const float *weight, int64_t n, int64_t times) {
    float total = 0;
    for (int64_t time = 0; time < times; time++) {
        __asm__ volatile("" ::"r"(weight) : "memory"); /* or the compiler would read once and multiply */
        total += once(weight, n);
    }
    return total;
}
