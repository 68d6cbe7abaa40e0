{sizes}
#define {NAME}_STATE_BYTES {state_bytes}

enum {{
    {NAME}_OK = 0,
    {NAME}_BAD_TOKEN = 1, /* a token that the model does not have; the state is as it was */
    {NAME}_BAD_STATE = 2, /* a saved state of another model, damaged, or cut; the state is as it was */
{further_codes}    {NAME}_BAD_WEIGHTS = 3 /* the weights of another model, damaged, or cut */
}};

/* The model: where its weights are. */
typedef struct {{
{weights}
}} {name}_model;

/* What one stream remembers. */
typedef struct {{
{states}
}} {name}_state;

{set_up}

/* Start a stream afresh. */
void {name}_reset({name}_state *state);

/* Take one step.
 *
{arguments}
 */
int {name}_step(const {name}_model *model, {name}_state *state,
             {parameters});

/* Write a state to a buffer of {NAME}_STATE_BYTES bytes, the same on every machine; read it back. */
void {name}_state_save(const {name}_state *state, unsigned char *buffer);
int {name}_state_load({name}_state *state, const unsigned char *buffer, size_t bytes);
