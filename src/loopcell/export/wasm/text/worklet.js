// An AudioWorklet that runs {name}.wasm on sound as it plays, 128 samples at a time; on the page:
//
//     await context.audioWorklet.addModule("{name}-worklet.js");
//     const module = await WebAssembly.compileStreaming(fetch("{name}.wasm"));
//     const node = new AudioWorkletNode(context, "{name}", {{ processorOptions: {{ module }} }});
//     node.port.onmessage = (message) => ...;      // answers; post "reset" to start afresh
//
// context.sampleRate has to be {sample_rate} Hz: new AudioContext({{ sampleRate: {sample_rate} }}).
import {{ loadNow, MANIFEST }} from "./{name}.js";

registerProcessor("{name}", class extends AudioWorkletProcessor {{
  constructor(options) {{
    super();
    if (sampleRate !== {sample_rate}) {{
      throw new RangeError(`the model was trained at {sample_rate} Hz, and this context has ${{sampleRate}}`);
    }}
    this.stream = loadNow(options.processorOptions.module).stream();
    this.port.onmessage = (message) => {{
      if (message.data === "reset") this.stream.reset();
    }};
  }}

  process(inputs, outputs) {{
    const given = inputs[0], samples = new Float32Array(128);
    for (const channel of given) channel.forEach((value, at) => {{ samples[at] += value / given.length; }});
    const answers = MANIFEST.frames ? this.stream.feed(samples) : Array.from(samples, (x) => this.stream.step([x]));
    const first = MANIFEST.outputs[0];
    if (!MANIFEST.frames && first.size === 1) {{ // a sample for a sample
      for (const channel of outputs[0] ?? []) answers.forEach((answer, at) => {{ channel[at] = answer[first.name][0]; }});
    }} else {{
      for (const answer of answers) this.port.postMessage(answer);
    }}
    return true;
  }}
}});
