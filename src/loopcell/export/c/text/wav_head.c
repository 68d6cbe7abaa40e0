typedef struct {{
    unsigned long kind, channels, bits, left;
    int whole; /* all that follows is sound */
}} wav_sound;

static unsigned long number(const unsigned char *bytes, int count) {{
    unsigned long found = 0;
    while (count--) found = found << 8 | bytes[count];
    return found;
}}

static int fail(const char *what) {{
    fprintf(stderr, "%s\n", what);
    return 1;
}}

/* Reads a file up to its first sample. Gives what is wrong with it, or NULL. */
static const char *open_sound(FILE *file, wav_sound *sound) {{
    unsigned char head[12], format[16] = {{0}};
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
        return "this is no WAV file";
    while (fread(head, 1, 8, file) == 8 && memcmp(head, "data", 4)) {{
        unsigned long size = number(head + 4, 4), read = 0;
        if (!memcmp(head, "fmt ", 4) && size >= 16) {{
            if (fread(format, 1, 16, file) != 16) return "the file is cut off";
            read = 16;
        }}
        if (fseek(file, (long)(size + size % 2 - read), SEEK_CUR)) return "the file is cut off";
    }}
    if (memcmp(head, "data", 4)) return "the file has no sound in it";
    sound->left = number(head + 4, 4);
    sound->whole = !sound->left || sound->left == 0x7FFFFFFFul || sound->left == 0xFFFFFFFFul;
    sound->kind = number(format, 2), sound->channels = number(format + 2, 2), sound->bits = number(format + 14, 2);
    if (number(format + 4, 4) != {sample_rate}) return "the model reads {sample_rate} Hz, and this file has another rate";
    if (sound->channels > 8) return "the file has more than 8 channels";
    if (!sound->channels || !((sound->kind == 1 && sound->bits == 16) || (sound->kind == 3 && sound->bits == 32)))
        return "samples have to be whole numbers of 16 bits, or floats of 32";
    return NULL;
}}

/* Reads the next sample of all channels: 1 for one, 0 at the end, -1 where the file is cut off. */
static int next_samples(FILE *file, wav_sound *sound, float *samples) {{
    unsigned char together[8 * 4];
    const unsigned long each = sound->bits / 8, size = sound->channels * each;
    if (!sound->whole && sound->left < size) return 0;
    if (fread(together, 1, size, file) != size) return sound->whole && !ferror(file) ? 0 : -1;
    for (unsigned long channel = 0; channel < sound->channels; channel++) {{
        const unsigned char *const bytes = together + channel * each;
        if (sound->kind == 1) {{
            const unsigned long value = number(bytes, 2);
            samples[channel] = (float)((long)value - (value > 32767 ? 65536 : 0)) / 32768.0f;
        }} else {{
            memcpy(samples + channel, bytes, 4); /* on a machine that has its numbers' smallest bytes first */
        }}
    }}
    sound->left -= size;
    return 1;
}}
