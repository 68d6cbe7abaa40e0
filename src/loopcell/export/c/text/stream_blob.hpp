    /* The bytes of {name}.weights, which are used where they lie and have to stay. */
    {stream}(const void *weights, std::size_t bytes) : loaded_({name}_load(&model_, weights, bytes)) {{ reset(); }}

    /* {NAME}_OK, or {NAME}_BAD_WEIGHTS: then no step may be taken. */
    int loaded() const {{ return loaded_; }}
