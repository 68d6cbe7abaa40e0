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
    this.model = loadNow(options.processorOptions.module);
    this.streams = [this.model.stream()]; // an effect has one for each channel
    this.port.onmessage = (message) => {{
      if (message.data === "reset") for (const stream of this.streams) stream.reset();
    }};
  }}

  process(inputs, outputs) {{
    const given = inputs[0];
    if (MANIFEST.effect) {{ // a sample for a sample
      while (this.streams.length < given.length) this.streams.push(this.model.stream());
      given.forEach((channel, at) => {{ if (outputs[0]?.[at]) this.streams[at].process(channel, outputs[0][at]); }});
      return true;
    }}
    const samples = new Float32Array(128);
    for (const channel of given) channel.forEach((value, at) => {{ samples[at] += value / given.length; }});
    const [stream] = this.streams;
    const answers = MANIFEST.frames ? stream.feed(samples) : Array.from(samples, (x) => stream.step([x]));
    for (const answer of answers) this.port.postMessage(answer);
    return true;
  }}
}});
