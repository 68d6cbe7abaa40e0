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

static unsigned long number(const unsigned char *bytes, int count) {{
    unsigned long found = 0;
    while (count--) found = found << 8 | bytes[count];
    return found;
}}

static int fail(const char *what) {{
    fprintf(stderr, "%s\n", what);
    return 1;
}}

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
    unsigned char head[12], format[16] = {{0}}, together[8 * 4];
    FILE *file = count == 2 ? fopen(words[1], "rb") : NULL;
    unsigned long left = 0;
    if (!file) return fail("usage: {name}_wav sound.wav");
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
        return fail("this is no WAV file");
    while (fread(head, 1, 8, file) == 8 && memcmp(head, "data", 4)) {{
        unsigned long size = number(head + 4, 4), read = 0;
        if (!memcmp(head, "fmt ", 4) && size >= 16) {{
            if (fread(format, 1, 16, file) != 16) return fail("the file is cut off");
            read = 16;
        }}
        if (fseek(file, (long)(size + size % 2 - read), SEEK_CUR)) return fail("the file is cut off");
    }}
    if (!memcmp(head, "data", 4)) left = number(head + 4, 4);
    else return fail("the file has no sound in it");
    const int whole = !left || left == 0x7FFFFFFFul || left == 0xFFFFFFFFul; /* all that follows is sound */
    const unsigned long kind = number(format, 2), channels = number(format + 2, 2), bits = number(format + 14, 2);
    if (number(format + 4, 4) != {sample_rate}) return fail("the model reads {sample_rate} Hz, and this file has another rate");
    if (channels > 8) return fail("the file has more than 8 channels");
    if (!channels || !((kind == 1 && bits == 16) || (kind == 3 && bits == 32)))
        return fail("samples have to be whole numbers of 16 bits, or floats of 32");
    if ({begin}) return 1;
    {name}_reset(&state);
    for (const unsigned long size = channels * bits / 8; whole || left >= size; left -= size) {{
        float sum = 0.0f;
        if (fread(together, 1, size, file) != size) {{
            if (whole && !ferror(file)) break;
            return fail("the file is cut off");
        }}
        for (const unsigned char *bytes = together; bytes < together + size; bytes += bits / 8) {{
            if (kind == 1) {{
                const unsigned long value = number(bytes, 2);
                sum += (float)((long)value - (value > 32767 ? 65536 : 0)) / 32768.0f;
            }} else {{
                float value;
                memcpy(&value, bytes, 4); /* on a machine that has its numbers' smallest bytes first */
                sum += value;
            }}
        }}
        if (take(sum / (float)channels)) return fail("the model refused a step");
    }}
{finish}
    fclose(file);
    return 0;
}}
