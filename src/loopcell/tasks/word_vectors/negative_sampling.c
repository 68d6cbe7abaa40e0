/* Word vectors by negative sampling: skip-gram and CBOW, with sub-words.
 *
 * Mikolov et al.: Distributed Representations of Words and Phrases and their Compositionality, 2013, equation 4;
 * Bojanowski et al.: Enriching Word Vectors with Subword Information, 2017, section 3.2.
 *
 * headers/vectors.h stands before this, and two sizes: MOST_NEGATIVES; and WIDTH, how many vectors of the machine's a row
 * has. Rows are padded with zeros, which stay zeros.
 * One call walks over some sentences. Several threads may do so at once on the same matrices, as in the authors' programs:
 * an update may then be lost, which costs nothing but that no two runs are alike.
 */

typedef struct {
    float *rows;           /* [words and buckets, WIDTH * LANES]: what goes in */
    float *contexts;       /* [words, WIDTH * LANES]: what is to be foretold */
    const int64_t *first;  /* [words + 1]: where the row numbers of a word begin in `parts` */
    const int32_t *parts;
    const uint32_t *keep;  /* [words]: a word is kept where 32 random bits are not above this */
    const uint32_t *below; /* [words], and `other`: the alias table of the noise (Walker, 1977) */
    const int32_t *other;
    int32_t words, window, negatives, cbow;
} Model;

typedef struct {
    const int32_t *ids;    /* of all words, one sentence after the other */
    const int64_t *offsets;/* sentence i is ids[offsets[i]] to ids[offsets[i + 1] - 1] */
    int32_t *kept;         /* room for the longest sentence */
    int32_t *inputs;       /* room for the row numbers of a word, or of all words of a window */
    uint64_t random;       /* the state of the generator */
} Walk;

/* Knuth's 64-bit linear congruential generator; the high bits are the good ones. */
INLINE uint64_t drawn(Walk *walk) {
    return walk->random = walk->random * 6364136223846793005u + 1442695040888963407u;
}

INLINE int32_t noise(const Model *model, Walk *walk) {
    unsigned __int128 place = (unsigned __int128)drawn(walk) * (uint32_t)model->words;
    int32_t column = (int32_t)(place >> 64);
    return (uint32_t)((uint64_t)place >> 32) <= model->below[column] ? column : model->other[column];
}

INLINE vec *row_of(float *matrix, int64_t row) { return (vec *)(matrix + row * (WIDTH * LANES)); }

INLINE float logistic(float x) {
    return x > 20 ? 1 : x < -20 ? 0 : 1 / (1 + expf(-x));
}

/* One word that is foretold, right or wrong: its row learns at once, the input's gradient is summed up. */
INLINE void foretell(const vec *hidden, vec *gradient, vec *row, float truth, float rate) {
    vec sum = splat(0);
    for (int i = 0; i < WIDTH; i++) sum = mul_add(hidden[i], row[i], sum);
    vec step = splat(rate * (truth - logistic(sum_of(sum))));
    for (int i = 0; i < WIDTH; i++) {
        vec before = row[i];
        gradient[i] = mul_add(step, before, gradient[i]);
        row[i] = mul_add(step, hidden[i], before);
    }
}

/* A word and its negatives: rows that will be asked for, on their way from memory. */
INLINE int choose_rows(const Model *model, Walk *walk, int32_t word, int32_t *chosen) {
    const int line = sizeof(vec) < 64 ? 64 / sizeof(vec) : 1; /* vectors that come from memory together */
    int count = 0;
    chosen[count++] = word;
    for (int k = 0; k < model->negatives; k++) {
        int32_t other = noise(model, walk);
        if (other != word) chosen[count++] = other;
    }
    for (int k = 0; k < count; k++)
        for (int i = 0; i < WIDTH; i += line)
            __builtin_prefetch(row_of(model->contexts, chosen[k]) + i, 1);
    return count;
}

/* From the mean of `count` rows to each of `targets` words, and back. */
static void learn(const Model *model, Walk *walk, int count, const int32_t *targets, int words, int skipped, float rate) {
    vec before[WIDTH], hidden[WIDTH];
    const int32_t *inputs = walk->inputs;
    for (int i = 0; i < WIDTH; i++) before[i] = splat(0);
    for (int k = 0; k < count; k++)
        for (int i = 0; i < WIDTH; i++) before[i] += row_of(model->rows, inputs[k])[i];
    for (int i = 0; i < WIDTH; i++) hidden[i] = before[i] *= splat(1.0f / (float)count);

    int32_t chosen[2][MOST_NEGATIVES + 1];
    int at = skipped == 0, many = at < words ? choose_rows(model, walk, targets[at], chosen[0]) : 0;
    for (int turn = 0; at < words; turn ^= 1) {
        int now = many;
        if (++at == skipped) at++;
        many = at < words ? choose_rows(model, walk, targets[at], chosen[turn ^ 1]) : 0;
        vec gradient[WIDTH];
        for (int i = 0; i < WIDTH; i++) gradient[i] = splat(0);
        for (int k = 0; k < now; k++) {
            vec *row = row_of(model->contexts, chosen[turn][k]);
            foretell(hidden, gradient, row, k == 0, rate);
        }
        for (int i = 0; i < WIDTH; i++) hidden[i] += gradient[i];
    }
    for (int i = 0; i < WIDTH; i++) hidden[i] -= before[i];
    for (int k = 0; k < count; k++)
        for (int i = 0; i < WIDTH; i++) row_of(model->rows, inputs[k])[i] += hidden[i];
}

INLINE int add_parts(const Model *model, Walk *walk, int count, int32_t word) {
    for (int64_t part = model->first[word]; part < model->first[word + 1]; part++)
        walk->inputs[count++] = model->parts[part];
    return count;
}

/* Word `at` of n: with skip-gram it foretells those around it, with CBOW they foretell it. */
INLINE void around(const Model *model, Walk *walk, int n, int at, float rate) {
    int reach = 1 + (int)((drawn(walk) >> 32) * (uint64_t)model->window >> 32);
    int start = at < reach ? 0 : at - reach, end = n - at <= reach ? n : at + reach + 1, count = 0;
    if (end - start < 2) return;
    if (model->cbow) {
        for (int i = start; i < end; i++)
            if (i != at) count = add_parts(model, walk, count, walk->kept[i]);
        learn(model, walk, count, walk->kept + at, 1, -1, rate);
    } else {
        count = add_parts(model, walk, 0, walk->kept[at]);
        learn(model, walk, count, walk->kept + start, end - start, at - start, rate);
    }
}

void train(const Model *model, Walk *walk, int64_t sentence, int64_t end, float rate) {
    for (; sentence < end; sentence++) {
        int n = 0;
        for (int64_t i = walk->offsets[sentence]; i < walk->offsets[sentence + 1]; i++)
            if (drawn(walk) >> 32 <= model->keep[walk->ids[i]]) walk->kept[n++] = walk->ids[i];
        for (int at = 0; at < n; at++) around(model, walk, n, at, rate);
    }
}
