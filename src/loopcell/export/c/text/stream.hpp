/* {name} for C++: a stream is an object, and a copy of it goes its own way from there. Compile {name}.c beside it. */
#ifndef {NAME}_HPP
#define {NAME}_HPP

#include <cstddef>
#include <cstdint>

#include "{name}.h"

class {stream} {{
public:
{construction}

    /* Start afresh. */
    void reset() {{ {name}_reset(&state_); }}

    /* Take one step; {NAME}_OK, or what was wrong. */
    int step({parameters}) {{
        return {name}_step(&model_, &state_, {arguments});
    }}

    void save(unsigned char (&buffer)[{NAME}_STATE_BYTES]) const {{ {name}_state_save(&state_, buffer); }}

    int load(const unsigned char *buffer, std::size_t bytes) {{ return {name}_state_load(&state_, buffer, bytes); }}

private:
    {name}_model model_;
{field}    {name}_state state_;
}};

#endif
