/* Reads a WAV file of {sample_rate} Hz and writes what {name} makes of it: ./{name}_wav in.wav out.wav
 * Samples are whole numbers of 16 bits, or floats of 32, and come out as they went in; each of up to 8 channels has a
 * state of its own. A size of the data that a program did not know when it began to write, 0 or the largest there is,
 * means all that follows. */
#include <stdio.h>
#include <string.h>

#include "{name}.h"

static {name}_model model;
static {name}_state states[8];

{head}
static void put(unsigned char *bytes, unsigned long value, int count) {{
    for (int place = 0; place < count; place++) bytes[place] = (unsigned char)(value >> 8 * place & 255);
}}

static int write_head(FILE *file, const wav_sound *sound, unsigned long size) {{
    unsigned char head[44];
    const unsigned long frame = sound->channels * sound->bits / 8;
    memcpy(head, "RIFF....WAVEfmt ", 16), memcpy(head + 36, "data", 4);
    put(head + 4, 36 + size, 4), put(head + 16, 16, 4), put(head + 20, sound->kind, 2), put(head + 22, sound->channels, 2);
    put(head + 24, {sample_rate}, 4), put(head + 28, {sample_rate} * frame, 4), put(head + 32, frame, 2);
    put(head + 34, sound->bits, 2), put(head + 40, size, 4);
    return fwrite(head, 1, 44, file) != 44;
}}

static int write_sample(FILE *file, const wav_sound *sound, float sample, unsigned long *clipped) {{
    unsigned char bytes[4];
    if (sound->kind == 3) {{
        memcpy(bytes, &sample, 4);
        return fwrite(bytes, 1, 4, file) != 4;
    }}
    const float scaled = sample * 32768.0f;
    const int over = !(scaled < 32767.5f) || scaled < -32768.5f;
    *clipped += (unsigned long)over;
    const long whole = over ? (scaled < 0.0f ? -32768 : 32767) : (long)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
    put(bytes, (unsigned long)(whole + 65536), 2);
    return fwrite(bytes, 1, 2, file) != 2;
}}

{set_up}int main(int count, char **words) {{
    FILE *file = count == 3 ? fopen(words[1], "rb") : NULL;
    wav_sound sound;
    float samples[8], y[1];
    unsigned long written = 0, clipped = 0;
    int more;
    if (!file) return fail("usage: {name}_wav in.wav out.wav");
    const char *const wrong = open_sound(file, &sound);
    if (wrong) return fail(wrong);
    FILE *into = fopen(words[2], "wb");
    if (!into || write_head(into, &sound, 0)) return fail("the file cannot be written");
    if ({begin}) return 1;
    for (int channel = 0; channel < 8; channel++) {name}_reset(&states[channel]);
    while ((more = next_samples(file, &sound, samples)) > 0) {{
        for (unsigned long channel = 0; channel < sound.channels; channel++) {{
            if ({name}_step(&model, &states[channel], &samples[channel], y)) return fail("the model refused a step");
            if (write_sample(into, &sound, y[0], &clipped)) return fail("the file cannot be written");
            written += sound.bits / 8;
        }}
    }}
    if (more < 0) return fail("the file is cut off");
    if (fseek(into, 0, SEEK_SET) || write_head(into, &sound, written) || fclose(into))
        return fail("the file cannot be written");
    if (clipped) fprintf(stderr, "%lu samples were beyond full scale and are clipped\n", clipped);
    fclose(file);
    return 0;
}}
