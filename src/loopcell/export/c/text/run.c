/* Reads the inputs of steps and writes what {name} answers: numbers and tokens, in the machine's order of bytes. After
 * every `{{again}}` steps, the first argument, the state is saved, forgotten and loaded; 0 leaves it alone. */
#include <stdio.h>
#include <stdlib.h>

#include "{name}.h"

{set_up}int main(int count, char **words) {{
    static {name}_model model;
    static {name}_state state;
    static unsigned char buffer[{NAME}_STATE_BYTES];
{declarations}
    const long again = count > 1 ? strtol(words[1], NULL, 10) : 0;
    if ({begin}) return 3;
    {name}_reset(&state);
    for (long step = 1; {reading}; step++) {{
        if ({step}) return 4;
{writing}
        if (again && step % again == 0) {{
            {name}_state_save(&state, buffer);
            {name}_reset(&state);
            if ({name}_state_load(&state, buffer, sizeof buffer)) return 5;
        }}
    }}
    return 0;
}}
