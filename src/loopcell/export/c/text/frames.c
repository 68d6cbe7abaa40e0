int {name}_feed(const {name}_model *model, {name}_state *state, const float *samples, size_t count, size_t *used,
    {outputs}) {{
    int held = (int)state->{held}[0];
    *used = 0;
    while (*used < count) {{
        state->{samples}[held++] = samples[(*used)++];
        if (held == {width}) {{
            const int status = {name}_step(model, state, state->{samples}, {arguments});
            for (int place = 0; place < {kept}; place++) state->{samples}[place] = state->{samples}[place + {hop}];
            state->{held}[0] = {kept}.0f;
            state->{covered}[0] = {kept}.0f;
            return status == {NAME}_OK ? {NAME}_ANSWER : status;
        }}
    }}
    state->{held}[0] = (float)held;
    return {NAME}_OK;
}}

int {name}_finish(const {name}_model *model, {name}_state *state, {outputs}) {{
    int held = (int)state->{held}[0], status;
    if (held <= (int)state->{covered}[0]) return {NAME}_OK;
    for (; held < {width}; held++) state->{samples}[held] = 0.0f;
    status = {name}_step(model, state, state->{samples}, {arguments});
    state->{held}[0] = 0.0f;
    state->{covered}[0] = 0.0f;
    return status == {NAME}_OK ? {NAME}_ANSWER : status;
}}
