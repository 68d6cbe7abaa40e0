/* Reads a WAV file of {sample_rate} Hz and prints what {name} says of it: ./{name}_wav sound.wav
 * A line for each answer: its number, and the numbers of the model after it. Samples are whole numbers of 16 bits, or
 * floats of 32; up to 8 channels are mixed. A size of the data that a program did not know when it began to write, 0 or
 * the largest there is, means all that follows. */
#include <stdio.h>
#include <string.h>

#include "{name}.h"

static {name}_model model;
static {name}_state state;
static long answers;

{declarations}

{head}
static void answer(void) {{
    printf("%ld", ++answers);
{prints}
    printf("\n");
}}

static int take(float sample) {{
{take}
    return 0;
}}

{set_up}int main(int count, char **words) {{
    FILE *file = count == 2 ? fopen(words[1], "rb") : NULL;
    wav_sound sound;
    float samples[8];
    int more;
    if (!file) return fail("usage: {name}_wav sound.wav");
    const char *const wrong = open_sound(file, &sound);
    if (wrong) return fail(wrong);
    if ({begin}) return 1;
    {name}_reset(&state);
    while ((more = next_samples(file, &sound, samples)) > 0) {{
        float sum = 0.0f;
        for (unsigned long channel = 0; channel < sound.channels; channel++) sum += samples[channel];
        if (take(sum / (float)sound.channels)) return fail("the model refused a step");
    }}
    if (more < 0) return fail("the file is cut off");
{finish}
    fclose(file);
    return 0;
}}
