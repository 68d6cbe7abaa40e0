
/* A step reads a frame of {NAME}_WIDTH samples, and {NAME}_HOP samples later the next one begins. {name}_feed cuts them
 * out of sound as it comes, a sample or a file at a time:
 *
 *     while (count) {{
 *         size_t used;
 *         if ({name}_feed(&model, &state, samples, count, &used, y) == {NAME}_ANSWER) ...  one more answer
 *         samples += used, count -= used;
 *     }}
 *
 * At the end of a sound {name}_finish fills the last frame up with zeros, so that every sample is in one. */
#define {NAME}_SAMPLE_RATE {sample_rate}
#define {NAME}_WIDTH {width}
#define {NAME}_HOP {hop}
#define {NAME}_ANSWER 10

/* Take samples until a frame is whole or all are used. {NAME}_ANSWER: a step was taken, and its answer is written;
 * {NAME}_OK: there is none yet. *used is how many samples were taken. */
int {name}_feed(const {name}_model *model, {name}_state *state, const float *samples, size_t count, size_t *used,
    {outputs});

/* Take the step of the last frame, if some sample was in none: {NAME}_ANSWER, else {NAME}_OK. */
int {name}_finish(const {name}_model *model, {name}_state *state, {outputs});
