    {stream}() {{
        {name}_init(&model_);
        reset();
    }}
