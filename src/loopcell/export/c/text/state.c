/* CRC-32, bit by bit: it is computed when a state is saved, not at every step. */
static uint32_t checksum(const unsigned char *bytes, size_t count) {
    uint32_t sum = 0xffffffffu;
    for (size_t place = 0; place < count; place++) {
        sum ^= bytes[place];
        for (int bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ (0xedb88320u & (0u - (sum & 1u)));
    }
    return ~sum;
}

static unsigned char *put_word(unsigned char *to, uint32_t bits) {
    for (int place = 0; place < 4; place++) *to++ = (unsigned char)(bits >> (8 * place) & 0xffu);
    return to;
}

static uint32_t get_word(const unsigned char *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static unsigned char *put_floats(unsigned char *to, const float *numbers, int count) {
    for (int place = 0; place < count; place++) to = put_word(to, bits_of(numbers[place]));
    return to;
}

static const unsigned char *get_floats(const unsigned char *from, float *numbers, int count) {
    for (int place = 0; place < count; place++, from += 4) numbers[place] = float_of(get_word(from));
    return from;
}

static unsigned char *put_shorts(unsigned char *to, const int16_t *numbers, int count) {
    for (int place = 0; place < count; place++) {
        *to++ = (unsigned char)(numbers[place] & 0xff);
        *to++ = (unsigned char)(numbers[place] >> 8 & 0xff);
    }
    return to;
}

static const unsigned char *get_shorts(const unsigned char *from, int16_t *numbers, int count) {
    for (int place = 0; place < count; place++, from += 2)
        numbers[place] = (int16_t)(from[0] + 256 * (from[1] < 128 ? from[1] : from[1] - 256));
    return from;
}
