    for (size_t place = 0; place < sizeof weights; place += 1 + sizeof weights / 9) {{
        {name}_model refused;
        weights.bytes[place] ^= 1;
        if ({name}_load(&refused, &weights, sizeof weights) != {NAME}_BAD_WEIGHTS) return fail("damaged weights");
        weights.bytes[place] ^= 1;
    }}
    if ({name}_load(&model, &weights, sizeof weights - 1) != {NAME}_BAD_WEIGHTS) return fail("cut weights");
