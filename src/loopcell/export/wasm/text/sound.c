
EXPORT(feed) int feed({name}_state *state, const float *samples, int32_t count, int32_t *used);
EXPORT(finish) int finish({name}_state *state);

int feed({name}_state *state, const float *samples, int32_t count, int32_t *used) {{
    size_t taken;
    const int status = {name}_feed(&model, state, samples, (size_t)count, &taken, {outputs});
    *used = (int32_t)taken;
    return status;
}}
int finish({name}_state *state) {{ return {name}_finish(&model, state, {outputs}); }}
