
// --- the page ------------------------------------------------------------------------------------------------------

const facts = JSON.parse(document.getElementById("facts").textContent);
const page = document.getElementById("page");
const MOST_ROWS = 200, MOST_BARS = 12;

function element(name, text, more = {}) {
  const made = Object.assign(document.createElement(name), more);
  if (text !== undefined) made.textContent = text;
  return made;
}

const VISIBLE = new Map([["", "unknown"], [" ", "\u2423"], ["\n", "\u23ce"], ["\t", "\u21e5"], ["\ufffd", "unknown"]]);

function shownLabel(output, place) {
  const label = output.labels[place] ?? `${output.name}[${place}]`;
  return VISIBLE.get(label) ?? label;
}

/** A number in few letters, the same width for a share as for its neighbours. */
function shownNumber(number) {
  const size = Math.abs(number);
  return size && (size < 1e-4 || size >= 1e5) ? number.toExponential(1) : number.toFixed(4);
}

/** What an answer says, as bars: the largest numbers of the first output that has labels, or all of a short one. */
function bars(answer) {
  const output = MANIFEST.outputs[0], numbers = Array.from(answer[output.name]);
  const order = numbers.map((_, place) => place).sort((a, b) => numbers[b] - numbers[a]).slice(0, MOST_BARS);
  const shares = numbers.every((number) => number >= 0 && number <= 1);
  const made = element("div");
  for (const place of order) {
    const row = element("div", undefined, { className: "bar" });
    row.append(element("span", shownLabel(output, place)));
    const meter = element("meter", undefined, { min: 0, max: 1, value: shares ? numbers[place] : 0 });
    meter.setAttribute("aria-label", row.firstChild.textContent);
    row.append(shares ? meter : element("span"), element("span", shownNumber(numbers[place])));
    made.append(row);
  }
  return made;
}

/** A table of the answers to steps: at most so many, and what is left out is said. */
function table(answers, name) {
  const head = MANIFEST.outputs.flatMap((output) => Array.from({ length: output.size },
    (_, place) => shownLabel(output, place))).slice(0, MOST_BARS);
  const made = element("table"), top = made.createTHead().insertRow();
  for (const text of [name, ...head]) top.append(element("th", text));
  const body = made.createTBody(), first = Math.max(0, answers.length - MOST_ROWS);
  answers.slice(first).forEach((answer, place) => {
    const numbers = MANIFEST.outputs.flatMap((output) => Array.from(answer[output.name])).slice(0, head.length);
    const row = body.insertRow();
    for (const text of [first + place + 1, ...numbers.map(shownNumber)]) {
      row.append(element("td", text));
    }
  });
  const wide = element("div", undefined, { className: "wide", tabIndex: 0 });
  wide.setAttribute("role", "region");
  wide.setAttribute("aria-label", "answers");
  if (first) wide.append(element("p", `the last ${MOST_ROWS} of ${answers.length} answers`));
  wide.append(made);
  return wide;
}

function numbersOf(text) {
  return text.trim().split("\n").filter((line) => line.trim()).map((line, place) => {
    const numbers = line.trim().split(/[\s,;]+/).map((word) => (word.toLowerCase() === "nan" ? NaN : Number(word)));
    const size = MANIFEST.inputs.reduce((sum, input) => sum + input.size, 0);
    if (numbers.length !== size || numbers.some((number, at) => Number.isNaN(number) && !/nan/i.test(line))) {
      throw new RangeError(`line ${place + 1}: ${size} numbers are a step, and this is ${line.slice(0, 40)}`);
    }
    return numbers;
  });
}

function cut(numbers) {
  let start = 0;
  return MANIFEST.inputs.map((input) => {
    const own = numbers.slice(start, (start += input.size));
    return input.kind === "token" ? own[0] : own;
  });
}

/** The ids of the tokens of a text: the longest known token at each place, and the unknown one where there is none. */
function idsOf(text) {
  const ids = new Map(MANIFEST.tokens.map((token, id) => [token, id])), unknown = ids.get("") ?? 0;
  const longest = Math.max(...MANIFEST.tokens.map((token) => token.length)), found = [];
  for (let at = 0; at < text.length;) {
    let length = Math.min(longest, text.length - at);
    while (length > 1 && !ids.has(text.slice(at, at + length))) length--;
    found.push(ids.get(text.slice(at, at + length)) ?? unknown);
    at += length;
  }
  return found;
}

function build(model) {
  let stream = model.stream(), steps = 0;
  const shown = element("section"), alarm = element("p", "", { role: "alert" });
  shown.setAttribute("aria-live", "polite");
  const state = element("p");
  const say = () => { state.textContent = `the stream has read ${steps} steps; its state is ${stream.save().length} bytes`; };
  const run = (work) => async () => {
    alarm.textContent = "";
    try {
      const answers = await work();
      steps += answers.length;
      if (answers.length) shown.replaceChildren(bars(answers.at(-1)), table(answers, "step"));
      say();
    } catch (error) {
      alarm.textContent = error.message;
    }
  };
  const button = (text, work, className = "") => {
    const made = element("button", text, { className, type: "button" });
    made.addEventListener("click", work);
    return made;
  };
  const controls = element("section");
  if (MANIFEST.frames) {
    const label = element("label", "a sound file"), file = element("input", undefined, { type: "file", id: "sound" });
    file.accept = "audio/*";
    label.htmlFor = "sound";
    file.addEventListener("change", run(async () => {
      const rate = MANIFEST.frames.sample_rate, context = new OfflineAudioContext(1, 1, rate);
      const sound = await context.decodeAudioData(await file.files[0].arrayBuffer());
      const mixed = new Float32Array(sound.length);
      for (let channel = 0; channel < sound.numberOfChannels; channel++) {
        const samples = sound.getChannelData(channel);
        for (let at = 0; at < mixed.length; at++) mixed[at] += samples[at] / sound.numberOfChannels;
      }
      return [...stream.feed(mixed), ...stream.finish()];
    }));
    controls.append(label, file);
  } else {
    const text = MANIFEST.inputs.length === 1 && MANIFEST.inputs[0].kind === "token";
    const reads = text ? "a text" : "numbers, a line a step";
    const label = element("label", reads), area = element("textarea", facts.example, { id: "given", rows: 6 });
    label.htmlFor = "given";
    const work = text
      ? () => idsOf(area.value).map((id) => stream.step(id))
      : () => numbersOf(area.value).map((numbers) => stream.step(...cut(numbers)));
    controls.append(label, area, button("read on", run(work)));
  }
  controls.append(button("start afresh", () => {
    stream.reset();
    steps = 0;
    alarm.textContent = "";
    shown.replaceChildren();
    say();
  }, "second"));
  page.append(element("h1", facts.title), element("p", facts.about), controls, alarm, state, shown);
  say();
  page.dataset.ready = "yes";
}

const bytes = Uint8Array.from(atob(document.getElementById("wasm").textContent), (letter) => letter.charCodeAt(0));
WebAssembly.compile(bytes).then((module) => build(loadNow(module)));
