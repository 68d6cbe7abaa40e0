/* What the JavaScript beside it calls: addresses of one step's inputs and outputs, and the model's functions. */
#include "{name}.h"

#define EXPORT(name) __attribute__((export_name(#name))) extern

static {name}_model model;
{buffers}

EXPORT(init) int init(void);
EXPORT(state_bytes) int32_t state_bytes(void);
EXPORT(saved_bytes) int32_t saved_bytes(void);
EXPORT(address) void *address(int32_t which);
EXPORT(reset) void reset({name}_state *state);
EXPORT(step) int step({name}_state *state);
EXPORT(save) void save(const {name}_state *state, unsigned char *buffer);
EXPORT(load) int load({name}_state *state, const unsigned char *buffer);

int init(void) {{ return {name}_init(&model); }}
int32_t state_bytes(void) {{ return (int32_t)sizeof({name}_state); }}
int32_t saved_bytes(void) {{ return {NAME}_STATE_BYTES; }}
void *address(int32_t which) {{
    void *const places[] = {{{addresses}}};
    return places[which];
}}
void reset({name}_state *state) {{ {name}_reset(state); }}
int step({name}_state *state) {{ return {name}_step(&model, state, {arguments}); }}
void save(const {name}_state *state, unsigned char *buffer) {{ {name}_state_save(state, buffer); }}
int load({name}_state *state, const unsigned char *buffer) {{
    return {name}_state_load(state, buffer, {NAME}_STATE_BYTES);
}}
