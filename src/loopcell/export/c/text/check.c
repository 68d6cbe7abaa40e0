/* Holds {name} against what it answered in Python: `make check`. With a number of steps as its argument it measures the
 * time of a step instead. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "{name}.h"

enum {{ STEPS = {steps} }};

{vectors}

{set_up}static {name}_model model;
static {name}_state state;
static unsigned char saved[{NAME}_STATE_BYTES], damaged[{NAME}_STATE_BYTES];

{declarations}

static int step(int at) {{ return {step}; }}

static double worst;

static void compare(const {number} *found, const {number} *expected, int count) {{
    for (int place = 0; place < count; place++) {{
        const double error = fabs((double)found[place] - (double)expected[place]);
        if (!(error <= worst)) worst = error; /* NaN as well */
    }}
}}

static int fail(const char *what) {{
    printf("{name}: %s: FAILED\n", what);
    return 1;
}}

static int measure(long steps) {{
    const clock_t begin = clock();
    for (long at = 0; at < steps; at++)
        if (step((int)(at % STEPS))) return fail("a step");
    printf("%.4f microseconds a step\n", 1e6 * (double)(clock() - begin) / CLOCKS_PER_SEC / (double)steps);
    return 0;
}}

int main(int count, char **words) {{
    if ({begin}) return fail("setting up");
{weights_check}    {name}_reset(&state);
    if (count > 1) return measure(strtol(words[1], NULL, 10));
    for (int at = 0; at < STEPS; at++) {{
        if (step(at)) return fail("a step");
{comparisons}
        {name}_state_save(&state, saved);
        memcpy(damaged, saved, sizeof saved);
        damaged[(size_t)at % sizeof damaged] ^= 1;
        if ({name}_state_load(&state, damaged, sizeof damaged) != {NAME}_BAD_STATE) return fail("a damaged state");
        if ({name}_state_load(&state, saved, sizeof saved - 1) != {NAME}_BAD_STATE) return fail("a short state");
        {name}_reset(&state);
        if ({name}_state_load(&state, saved, sizeof saved)) return fail("a saved state");
    }}
    if (!(worst <= {allowed})) {{
        printf("largest error %.3g, of {allowed} allowed\n", worst);
        return fail("answers");
    }}
    printf("{name}: {steps} steps, largest error %.3g: OK\n", worst);
    return 0;
}}
