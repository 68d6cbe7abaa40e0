static union {{
    unsigned char bytes[{NAME}_WEIGHT_BYTES];
    uint32_t aligned;
}} weights;

/* Reads the weights, which lie beside this program. */
static int set_up({name}_model *to) {{
    FILE *file = fopen("{name}.weights", "rb");
    const size_t count = file ? fread(weights.bytes, 1, sizeof weights, file) : 0;
    if (file) fclose(file);
    return {name}_load(to, &weights, count);
}}

