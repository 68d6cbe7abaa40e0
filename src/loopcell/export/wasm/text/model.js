// The model of {name}.wasm in JavaScript: as many streams as you like, each with a state of its own.
//
//     import {{ load }} from "./{name}.js";
//     const model = await load(new URL("./{name}.wasm", import.meta.url));
//     const stream = model.stream();
//     const {{ {first_output} }} = stream.step({example});
//     const bytes = stream.save();            // the state as bytes, the same on every machine
//     model.stream(bytes);                    // goes on where it was saved
//     stream.free();
//
// A stream without a state cannot be made, and a saved state of another model is refused.

export const MANIFEST = {manifest};
const OK = 0, ANSWER = {answer}, PAGE = 65536, BLOCK = 4096;

/** Compile a model: from the address of the .wasm file, its bytes, or a WebAssembly.Module. */
export async function load(source) {{
  if (source instanceof WebAssembly.Module) return new Model(await WebAssembly.instantiate(source, {{}}));
  const bytes = source instanceof URL || typeof source === "string"
    ? await (await fetch(source)).arrayBuffer() : source;
  return new Model((await WebAssembly.instantiate(bytes, {{}})).instance);
}}

/** The same at once, for an AudioWorklet: from a WebAssembly.Module. */
export function loadNow(module) {{
  return new Model(new WebAssembly.Instance(module, {{}}));
}}

export class Model {{
  constructor(instance) {{
    this.wasm = instance.exports;
    this.manifest = MANIFEST;
    this.wasm.init();
    this.top = Math.ceil(this.wasm.__heap_base.value / 16) * 16;
    this.released = [];
    this.scratch = this.take(Math.max(this.wasm.saved_bytes(), 4 * BLOCK + 16));
  }}

  /** A new stream, at its beginning or where `saved` (what `save` gave) stopped. */
  stream(saved) {{
    return new Stream(this, saved);
  }}

  take(bytes) {{
    const at = this.top;
    this.top += Math.ceil(bytes / 16) * 16;
    const missing = this.top - this.wasm.memory.buffer.byteLength;
    if (missing > 0) this.wasm.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }}

  floats(at, count) {{
    return new Float32Array(this.wasm.memory.buffer, at, count);
  }}
}}

export class Stream {{
  constructor(model, saved) {{
    this.model = model;
    this.at = model.released.pop() ?? model.take(model.wasm.state_bytes());
    model.wasm.reset(this.at);
    if (saved !== undefined) this.load(saved);
  }}

  /**
   * Take a step: the inputs in the manifest's order, arrays of numbers or the id of a token. Gives the outputs by name.
   * A number that is missing is null or NaN; nothing else that is no number is taken for one.
   */
  step(...inputs) {{
    const {{ wasm, manifest }} = this.model;
    this.demand();
    if (inputs.length !== manifest.inputs.length) {{
      throw new RangeError(`a step takes ${{manifest.inputs.length}} input(s), got ${{inputs.length}}`);
    }}
    manifest.inputs.forEach((input, place) => {{
      const at = wasm.address(place), given = inputs[place];
      if (input.kind === "token") {{
        if (!Number.isInteger(given) || given < 0 || given >= 2 ** 31) {{
          throw new RangeError(`${{input.name}} is the id of a token, not ${{given}}`);
        }}
        new Int32Array(wasm.memory.buffer, at, 1)[0] = given;
        return;
      }}
      const into = this.model.floats(at, input.size);
      writeNumbers(into, input, given);
      if (manifest.effect) demandFinite(into, input.name); // a sample is never missing, and NaN would stay in the state
    }});
    if (wasm.step(this.at) !== OK) throw new RangeError("there is no such token; the stream is as it was");
    return this.answer();
  }}

  /** Take sound, any number of floats from -1 to 1; gives the answers of all frames that are whole now. */
  feed(samples) {{
    const {{ wasm, scratch }} = this.model, answers = [];
    this.demandSound();
    const sound = asSound(samples);
    for (let start = 0; start < sound.length; start += BLOCK) {{
      const part = sound.subarray(start, Math.min(start + BLOCK, sound.length));
      this.model.floats(scratch + 16, part.length).set(part);
      for (let done = 0; done < part.length;) {{
        const status = wasm.feed(this.at, scratch + 16 + 4 * done, part.length - done, scratch);
        done += new Int32Array(wasm.memory.buffer, scratch, 1)[0];
        if (status === ANSWER) answers.push(this.answer());
      }}
    }}
    return answers;
  }}

  /**
   * Make sound of sound, a sample of a sample: floats from -1 to 1, written into a Float32Array of the same length, a
   * new one if none is given, and returned. What is refused leaves the stream as it was.
   */
  process(samples, into = new Float32Array(samples?.length ?? 0)) {{
    const {{ wasm, manifest }} = this.model;
    this.demand();
    if (!manifest.effect) throw new TypeError("this model does not answer samples with samples: call step or feed");
    const sound = asSound(samples);
    demandFinite(sound, "samples");
    if (!(into instanceof Float32Array || into instanceof Float64Array || Array.isArray(into))) {{
      throw new TypeError(`process writes into a Float32Array, not ${{described(into)}}`);
    }}
    if (into.length !== sound.length) throw new RangeError(`${{sound.length}} samples do not fit into ${{into.length}}`);
    const from = wasm.address(0) / 4, to = wasm.address(1) / 4, numbers = new Float32Array(wasm.memory.buffer);
    for (let at = 0; at < sound.length; at++) {{
      numbers[from] = sound[at];
      if (wasm.step(this.at) !== OK) throw new RangeError("the model refused a step");
      into[at] = numbers[to];
    }}
    return into;
  }}

  /** End a sound: its last frame is filled up with zeros. Gives one answer more, or none. */
  finish() {{
    this.demandSound();
    return this.model.wasm.finish(this.at) === ANSWER ? [this.answer()] : [];
  }}

  /** Start afresh. */
  reset() {{
    this.demand();
    this.model.wasm.reset(this.at);
  }}

  /** The state as bytes. */
  save() {{
    this.demand();
    const {{ wasm, scratch }} = this.model;
    wasm.save(this.at, scratch);
    return new Uint8Array(wasm.memory.buffer, scratch, wasm.saved_bytes()).slice();
  }}

  /** Go to a saved state. */
  load(saved) {{
    this.demand();
    const {{ wasm, scratch }} = this.model;
    const fits = saved.length === wasm.saved_bytes();
    if (fits) new Uint8Array(wasm.memory.buffer, scratch, saved.length).set(saved);
    if (!fits || wasm.load(this.at, scratch) !== OK) {{
      throw new RangeError("this is the state of another model, or damaged; the stream is as it was");
    }}
  }}

  /** A second stream that goes on from here, and this one does not know of it. */
  fork() {{
    return this.model.stream(this.save());
  }}

  /** Give the memory of the state back; the stream cannot be used any more. */
  free() {{
    this.demand();
    this.model.wasm.reset(this.at);
    this.model.released.push(this.at);
    this.at = 0;
  }}

  answer() {{
    const {{ wasm, manifest }} = this.model;
    return Object.fromEntries(manifest.outputs.map((output, place) => [
      output.name, this.model.floats(wasm.address(manifest.inputs.length + place), output.size).slice(),
    ]));
  }}

  demand() {{
    if (!this.at) throw new Error("this stream was freed");
  }}

  demandSound() {{
    this.demand();
    if (this.model.wasm.feed) return;
    throw new TypeError(this.model.manifest.effect ? "this model answers samples with samples: call process"
      : "this model reads steps, not sound: call step");
  }}
}}

/** Write the numbers of an input where the step reads them, null as NaN; what is no number is refused. */
function writeNumbers(into, {{ name, size }}, given) {{
  const typed = ArrayBuffer.isView(given) && !(given instanceof DataView);
  if (!typed && !Array.isArray(given)) throw new TypeError(`${{name}} is an array of numbers, not ${{described(given)}}`);
  if (given.length !== size) throw new RangeError(`${{name}} has ${{size}} numbers, got ${{given.length}}`);
  if (typed) into.set(given);
  else for (let place = 0; place < size; place++) into[place] = asNumber(given[place], name, place);
}}

/** Samples as floats. Whole numbers of a sound card are refused: they would be 32768 times too loud. */
function asSound(samples) {{
  if (samples instanceof Float32Array) return samples;
  if (samples instanceof Float64Array) return Float32Array.from(samples);
  if (Array.isArray(samples)) return Float32Array.from(samples, (one, place) => asNumber(one, "samples", place));
  throw new TypeError(`samples are floats from -1 to 1 in a Float32Array or an array, not ${{described(samples)}}`);
}}

/** Refuse NaN and infinity. */
function demandFinite(numbers, name) {{
  for (let place = 0; place < numbers.length; place++) {{
    if (!Number.isFinite(numbers[place])) throw new RangeError(`${{name}}[${{place}}] is ${{numbers[place]}}`);
  }}
}}

function asNumber(one, name, place) {{
  if (typeof one === "number") return one;
  if (one === null) return NaN;
  throw new TypeError(`${{name}}[${{place}}] is no number but ${{described(one)}}; one that is missing is null or NaN`);
}}

/** A value in a few words, for a message. */
function described(value) {{
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return typeof value === "object" ? `a value of ${{value.constructor?.name}}` : String(value).slice(0, 40);
}}
