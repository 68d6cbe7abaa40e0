// The live page: a model that runs here, on the reader's text; what is in view, and what follows when it changes.

import { STROKES } from "./charts.js";
import { colourTable, gradient } from "./colours.js";
import { choice, digits, make } from "./dom.js";
import { showEquations } from "./equations.js";
import { colours, head, view } from "./frame.js";
import { HeatMap, shown } from "./heatmap.js";
import { LIVE_LANGUAGES } from "./live_words.js";
import { Panels } from "./live_panels.js";
import { AS_TRAINED, draw, Model, random, unpacked } from "./model.js";
import { bytesOf, inflated, planeOf } from "./planes.js";
import { Quiz } from "./quiz.js";
import { Tokens } from "./tokens.js";

const LEAST = 24; // tokens that the picture has room for
const BARS = 8;
const WRITTEN = 80; // tokens that are drawn at once
const IDLE = 120; // milliseconds without a key, after which gradient and memory are measured
const CLIPS = [1, 0.1, 0.01, 0.001];

const facts = JSON.parse(document.getElementById("facts").textContent);
const TOKEN = facts.drawn.some((token) => facts.labels[token] > "\u1100") ? 16 : 11; // pixels of a label below the picture
const tokens = new Tokens(facts.vocabulary, facts.labels);
const page = document.getElementById("page");
const asked = location.hash.slice(1); // live.html#ko
Object.assign(view, {
	language: asked in LIVE_LANGUAGES ? asked : view.language,
	text: facts.text,
	layer: 0,
	quantity: facts.graphs[0].quantities[0].name,
	clip: Number.POSITIVE_INFINITY,
	temperature: 0.7,
	seed: 1,
	from: 0,
	to: 1,
	cursor: null,
	picked: [],
});
let words = LIVE_LANGUAGES[view.language];
let model;
let parts = {};
let panels;
let quiz;
let waiting;

// --- building ------------------------------------------------------------------------------------------------------

function build() {
	words = LIVE_LANGUAGES[view.language];
	const top = head(facts.title, build);
	parts = {
		text: make("textarea", { id: "text", maxlength: String(facts.longest), spellcheck: "false", input: typed }),
		canvas: make("canvas", { tabindex: "0", role: "img" }),
		legend: make("div", { class: "legend" }),
		readout: make("p", { class: "small", role: "status" }),
		tabs: make("div", { class: "tabs", role: "group", "aria-label": words.quantities }),
		next: make("ol", { class: "next" }),
		knobs: make("div", { class: "knobs" }),
		equations: make("div", { class: "equations", tabindex: "0", role: "group", "aria-label": words.equations(facts.cell) }),
		panels: make("div", { class: "panels" }),
		quiz: make("section", { class: "quiz" }),
	};
	parts.text.value = view.text;
	page.replaceChildren(
		top,
		...facts.notes.map((note) => make("p", { class: "note" }, note)),
		make("div", { class: "live" }, main(), aside()),
		parts.panels,
		parts.quiz,
	);
	parts.map = new HeatMap(parts.canvas, view, [], []);
	panels?.stop();
	panels = new Panels(parts.panels, words, colours);
	listen();
	showKnobs();
	changed();
}

function main() {
	const layers = facts.sizes.map((_, layer) => [String(layer), String(layer)]);
	const pick = choice(words.layer, layers, String(view.layer), (value) => {
		view.layer = Number(value);
		showNow();
		measureSoon();
	});
	return make(
		"section",
		{ class: "picture" },
		make("label", {}, make("span", {}, words.text), parts.text),
		sampling(),
		make("div", { class: "above" }, parts.tabs, ...(layers.length > 1 ? [pick] : []), parts.legend),
		parts.canvas,
		parts.readout,
	);
}

function sampling() {
	const label = make("span", {}, words.temperature(view.temperature));
	const temperature = range(label, { id: "temperature", min: 0, max: 1.5, step: 0.1, value: view.temperature }, (value) => {
		view.temperature = value;
		label.textContent = words.temperature(value);
	});
	const seed = make("input", { type: "number", id: "seed", min: "0", value: String(view.seed), change: () => { view.seed = Number(seed.value); } });
	return make(
		"div",
		{ class: "sampling" },
		make("button", { type: "button", id: "write", click: writeOn }, words.writeOn),
		temperature,
		make("label", {}, make("span", {}, `${words.seed} `), seed),
	);
}

function range(label, { id, min, max, step, value }, change) {
	const input = make("input", { type: "range", id, min: String(min), max: String(max), step: String(step), input: () => change(Number(input.value)) });
	input.value = String(value);
	return make("label", {}, label, input);
}

function aside() {
	return make(
		"aside",
		{},
		make("h2", {}, words.next),
		parts.next,
		make("h2", {}, words.knobs),
		parts.knobs,
		make("h2", {}, words.equations(facts.cell)),
		parts.equations,
	);
}

/** The knobs as the model stands; made anew when it is set to what another part of the page says. */
function showKnobs() {
	const { keep, recurrent, graphs } = facts;
	const biases = make("span", {}, "");
	const factors = make("span", {}, "");
	const radii = make("p", { class: "small" }, "");
	const tell = () => {
		biases.textContent = words.bias(keep.map(([name]) => name).join(", "), signed(model.changes.bias));
		factors.textContent = words.factor(model.changes.factor.toFixed(2));
		const each = recurrent[view.layer].filter(([, radius]) => radius !== null);
		radii.textContent = each.length ? words.radius(each.map(([name, radius]) => `${name} ${(radius * model.changes.factor).toFixed(2)}`).join(", ")) : "";
	};
	const set = (name) => (value) => {
		model.change({ ...model.changes, [name]: value });
		tell();
		changed();
	};
	const bias = range(biases, { id: "bias", min: -6, max: 6, step: 0.25, value: model.changes.bias }, set("bias"));
	const factor = range(factors, { id: "factor", min: 0, max: 3, step: 0.05, value: model.changes.factor }, set("factor"));
	const clips = [["off", words.off], ...CLIPS.map((clip) => [String(clip), String(clip)])];
	parts.knobs.replaceChildren(
		...(keep.length ? [bias] : []),
		...(recurrent[view.layer].length ? [factor, radii] : []),
		choice(words.equation, graphs.map(({ variant }) => [variant, variant || words.asTrained]), model.changes.variant, set("variant")),
		choice(words.clip, clips, Number.isFinite(view.clip) ? String(view.clip) : "off", (value) => {
			view.clip = value === "off" ? Number.POSITIVE_INFINITY : Number(value);
			measureSoon();
		}),
		make("button", { type: "button", id: "reset", click: () => setModel({}) }, words.reset),
	);
	tell();
}

const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;

/** Set the model to what a question asks about; as trained where it asks for nothing. */
function setModel(changes) {
	view.clip = Number.POSITIVE_INFINITY;
	model.change({ ...AS_TRAINED, ...changes });
	showKnobs();
	changed();
}

// --- showing -------------------------------------------------------------------------------------------------------

/** Show another model, or another page: its quantities, its equations, and what it makes of the text. */
function changed() {
	const { quantities, equations } = model.graph;
	if (!quantities.some(({ name }) => name === view.quantity)) view.quantity = quantities[0].name;
	const pick = (name) => () => {
		view.quantity = name;
		showQuantity();
	};
	parts.tabs.replaceChildren(...quantities.map(({ name }) => make("button", { type: "button", "data-quantity": name, click: pick(name) }, name)));
	showEquations(parts.equations, equations);
	for (const element of parts.equations.querySelectorAll("[data-value]")) {
		if (quantities.some(({ name }) => name === element.dataset.value)) element.addEventListener("click", pick(element.dataset.value));
	}
	showNow();
	measureSoon();
}

/** Show what the model makes of the text: the picture and the next token. Gradient and memory follow. */
function showNow() {
	model.read(tokens.encode(view.text));
	document.getElementById("write").disabled = !model.tokens.length;
	showQuantity();
	showNext();
}

function showQuantity() {
	for (const tab of parts.tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.quantity === view.quantity));
	for (const element of parts.equations.querySelectorAll("[data-value]")) {
		element.classList.toggle("lit", element.dataset.value === view.quantity);
	}
	const count = model.tokens.length;
	parts.canvas.hidden = !count;
	if (!count) {
		parts.legend.replaceChildren();
		parts.readout.textContent = words.empty;
		return;
	}
	const most = Math.max(LEAST, Math.floor(parts.canvas.clientWidth / TOKEN));
	view.from = Math.max(0, count - most);
	view.to = view.from + Math.min(most, Math.max(count, LEAST));
	const quantity = model.graph.quantities.find(({ name }) => name === view.quantity);
	const plane = planeOf((step) => model.layers[view.layer].value(quantity.at, step), count, quantity);
	const table = colourTable(plane.gate, view.dark);
	const bar = make("span", { class: "bar" });
	bar.style.background = gradient(table);
	const [low, high] = plane.range();
	parts.legend.replaceChildren(digits(low), bar, digits(high));
	parts.canvas.setAttribute("aria-label", words.heatMap(view.quantity, Math.min(count, most)));
	parts.map.steps = model.tokens.map((token) => facts.labels[token]);
	parts.map.predictions = model.predicted.map((probabilities) => [best(probabilities)]);
	parts.map.paint(plane, Array.from({ length: plane.units }, (_, unit) => unit), table);
	view.cursor = view.cursor && view.cursor.step < count && view.cursor.row < plane.units ? view.cursor : null;
	drawMap();
}

function best(probabilities) {
	const token = probabilities.indexOf(Math.max(...probabilities));
	return [facts.labels[token], probabilities[token]];
}

function drawMap() {
	parts.map.draw(colours());
	const { cursor } = view;
	if (!cursor) parts.readout.textContent = words.point;
	else {
		const value = digits(parts.map.plane.at(cursor.row, cursor.step));
		parts.readout.textContent = words.at(view.quantity, cursor.row, shown(parts.map.steps[cursor.step]), value);
	}
}

function showNext() {
	const probabilities = model.predicted.at(-1) ?? [];
	const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, BARS);
	parts.next.replaceChildren(
		...order.map((token) => {
			const bar = make("span", { class: "share" });
			bar.style.width = `${100 * probabilities[token]}%`;
			return make("li", {}, make("span", { class: "token" }, shown(facts.labels[token])), make("span", {}, bar), make("span", {}, `${(100 * probabilities[token]).toFixed(1)}%`));
		}),
	);
}

function measureSoon() {
	clearTimeout(waiting);
	panels.stop();
	waiting = setTimeout(() => {
		panels.show(model, view.layer, view.clip, STROKES[view.dark ? "dark" : "light"]);
		quiz.show(parts.quiz, words);
	}, IDLE);
}

// --- what the reader does ------------------------------------------------------------------------------------------

function typed() {
	const start = performance.now();
	view.text = parts.text.value;
	showNow();
	performance.measure("key", { start });
	measureSoon();
}

/** Draw tokens after the text; what is drawn never changes the text before it. */
function writeOn() {
	const next = random(view.seed);
	const before = [...model.tokens];
	const drawn = [];
	while (drawn.length < WRITTEN && view.text.length + tokens.decode(drawn).length < facts.longest) {
		const allowed = facts.drawn.filter((token) => drawn.length || !tokens.changes(before, token));
		drawn.push(draw(model.predicted.at(-1), allowed.length ? allowed : facts.drawn, view.temperature, next));
		model.read([...before, ...drawn]);
	}
	view.text += tokens.decode(drawn);
	parts.text.value = view.text;
	parts.text.scrollTop = parts.text.scrollHeight;
	showNow();
	measureSoon();
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressed(event) {
	if (!(event.key in KEYS)) return;
	const [step, row] = KEYS[event.key];
	const at = view.cursor ?? { step: model.tokens.length - 1, row: 0 };
	const within = (place, low, high) => Math.min(high, Math.max(low, place));
	view.cursor = { step: within(at.step + step, Math.ceil(view.from), model.tokens.length - 1), row: within(at.row + row, 0, parts.map.units.length - 1) };
	drawMap();
	event.preventDefault();
}

function listen() {
	parts.canvas.addEventListener("pointermove", (event) => {
		const box = parts.canvas.getBoundingClientRect();
		view.cursor = parts.map.under(event.clientX - box.left, event.clientY - box.top) ?? view.cursor;
		drawMap();
	});
	parts.canvas.addEventListener("keydown", pressed);
	new ResizeObserver(showQuantity).observe(parts.canvas);
}

async function start() {
	const weights = unpacked(await inflated(bytesOf(document.getElementById("weights").textContent)), facts.arrays);
	model = new Model(facts, weights);
	quiz = new Quiz(facts, () => model, setModel);
	build();
}

if (typeof DecompressionStream === "undefined") page.append(make("p", {}, words.tooOld));
else start();
