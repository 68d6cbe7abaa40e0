// Takes a step of {name} every 100 ms and prints what it answers, and how long it took.
#include <{name}.h>

static {name}_model model;
static {name}_state state;
{declarations}

void setup() {{
    Serial.begin(115200);
    {name}_init(&model);
    {name}_reset(&state);
}}

void loop() {{
    // Read sensors here, into {inputs}.
    const unsigned long begin = micros();
    const int status = {name}_step(&model, &state, {arguments});
    const unsigned long took = micros() - begin;
    if (status != {NAME}_OK) {{
        Serial.print("status ");
        Serial.println(status);
    }}
    for (int place = 0; place < {size}; place++) {{
        Serial.print({shown}[place]);
        Serial.print(' ');
    }}
    Serial.print(took);
    Serial.println(" us");
    delay(100);
}}
