// The page of an inspection: what is in view, and what follows when it changes.

import { attentionPanel } from "./attention_panel.js";
import { Chart, STROKES } from "./charts.js";
import { colourTable, gradient, pageColours } from "./colours.js";
import { choice, digits, make } from "./dom.js";
import { showEquations } from "./equations.js";
import { HeatMap, shown } from "./heatmap.js";
import { matchPanel } from "./match_panel.js";
import { ordered } from "./orders.js";
import { partButtons, partsOf, wholePart } from "./parts.js";
import { Plane } from "./planes.js";
import { tracesPanel } from "./traces_panel.js";
import { firstLanguage, LANGUAGES } from "./words.js";

const everyPart = partsOf(JSON.parse(document.getElementById("facts").textContent));
let facts = everyPart[0];
let count = facts.steps.length;
const view = {
	language: firstLanguage(),
	dark: matchMedia("(prefers-color-scheme: dark)").matches,
	order: "index",
	...wholePart(facts),
};
const planes = new Map();
const page = document.getElementById("page");
let words = LANGUAGES[view.language];
let parts = {};

// --- reading -------------------------------------------------------------------------------------------------------

const layer = () => facts.layers[view.layer];
const quantity = () => layer().quantities[view.quantity];

async function planeOf(place) {
	if (!planes.has(place.place)) planes.set(place.place, await Plane.read(place, count));
	return planes.get(place.place);
}

/** The other quantities of a layer, read when the browser has time, for the table at the cursor. */
async function readLayer() {
	const here = layer();
	for (const each of here.quantities) await planeOf(each);
	if (here === layer()) showReadout();
}

// --- building ------------------------------------------------------------------------------------------------------

function build() {
	words = LANGUAGES[view.language];
	document.documentElement.lang = view.language;
	document.documentElement.dataset.theme = view.dark ? "dark" : "light";
	parts = {
		canvas: make("canvas", { tabindex: "0", role: "img" }),
		legend: make("div", { class: "legend" }),
		range: make("span", { class: "range" }),
		overview: make("div", { class: "chart", role: "img", "aria-labelledby": "overview" }),
		overviewTitle: make("p", { class: "caption", id: "overview" }),
		course: make("div", { class: "chart", role: "img", "aria-label": words.course }),
		picked: make("p", { class: "picked" }),
		equations: make("div", { class: "equations", tabindex: "0", role: "group", "aria-label": words.equations }),
		readout: make("div", { class: "readout", "aria-live": "polite" }),
		tabs: make("div", { class: "tabs", role: "group" }),
		signal: make("span"),
		traces: tracesPanel(facts, view, words, choose, (step) => point({ step, row: view.cursor?.row ?? 0 })),
		attention: attentionPanel(everyPart, facts, view, (step) => point({ step, row: view.cursor?.row ?? 0 })),
	};
	page.replaceChildren(
		make("header", {}, make("h1", {}, facts.title), buttons()),
		...facts.notes.map((note) => make("p", { class: "note" }, words.said(note))),
		...answer(),
		make("div", { class: "controls" }, ...controls()),
		make("div", { class: "columns" }, main(), aside()),
		...matchPanel(facts, view, build),
	);
	parts.attention.read(words, draw);
	parts.map = new HeatMap(parts.canvas, view, facts.steps, facts.predictions);
	parts.brush = new Chart(parts.overview, 84, choose, () => {});
	parts.lines = new Chart(parts.course, 170, choose, (step) => point({ step, row: view.cursor?.row ?? 0 }));
	listen();
	showLayer();
	showQuantity();
}

function buttons() {
	const again = (change) => () => {
		change();
		build();
	};
	return make(
		"div",
		{ class: "buttons" },
		make("button", { type: "button", id: "language", click: again(() => { view.language = view.language === "en" ? "ko" : "en"; }) }, words.language),
		make("button", { type: "button", id: "theme", click: again(() => { view.dark = !view.dark; }) }, words.theme),
	);
}

function answer() {
	if (!facts.answer.length) return [];
	const each = facts.answer.map(([label, probability]) =>
		make("span", { class: "answer" }, probability === null ? words.said(label) : `${shown(label, 40)} ${(100 * probability).toFixed(1)}%`),
	);
	return [make("p", {}, `${words.answer}: `, ...each)];
}

function controls() {
	const layers = facts.layers.map((each, index) => [String(index), each.name]);
	const orders = Object.entries(words.orders);
	return [
		...partButtons(everyPart, facts, words, showPart),
		choice(words.layer, layers, String(view.layer), (value) => {
			const name = quantity().name;
			view.layer = Number(value);
			view.quantity = Math.max(0, layer().quantities.findIndex((each) => each.name === name));
			view.picked = [];
			showLayer();
			showQuantity();
		}),
		parts.tabs,
		choice(words.order, orders, view.order, (value) => {
			view.order = value;
			showOrder();
		}),
		parts.signal,
	];
}

function main() {
	const all = make("button", { type: "button", click: () => choose(null, null) }, words.reset);
	return make(
		"section",
		{ class: "picture" },
		make("div", { class: "above" }, parts.legend, parts.range, all),
		parts.canvas,
		...parts.traces.elements,
		parts.overviewTitle,
		parts.overview,
		parts.picked,
		parts.course,
		...parts.attention.elements,
	);
}

function aside() {
	return make(
		"aside",
		{},
		make("h2", {}, words.readout),
		parts.readout,
		make("h2", {}, `${words.equations}: ${layer().cell}`),
		parts.equations,
	);
}

// --- showing -------------------------------------------------------------------------------------------------------

function showLayer() {
	parts.tabs.replaceChildren(
		...layer().quantities.map((each, index) =>
			make("button", { type: "button", "data-quantity": each.name, click: () => { view.quantity = index; showQuantity(); } }, each.name),
		),
	);
	showEquations(parts.equations, layer().equations);
	for (const element of parts.equations.querySelectorAll("[data-value]")) {
		const index = layer().quantities.findIndex((each) => each.name === element.dataset.value);
		if (index < 0) continue;
		element.addEventListener("click", () => { view.quantity = index; showQuantity(); });
	}
}

async function showQuantity() {
	const here = quantity();
	for (const [index, tab] of [...parts.tabs.children].entries()) tab.setAttribute("aria-pressed", String(index === view.quantity));
	for (const element of parts.equations.querySelectorAll("[data-value]")) {
		element.classList.toggle("lit", element.dataset.value === here.name);
	}
	parts.canvas.setAttribute("aria-label", words.heatMap(here.name, layer().name));
	parts.overviewTitle.textContent = words.overview(here.name);
	parts.legend.textContent = words.reading;
	const plane = await planeOf(here);
	if (here !== quantity()) return; // another one was chosen meanwhile
	view.picked = view.picked.filter((unit) => unit < plane.units);
	const table = colourTable(plane.gate, view.dark);
	const [low, high] = plane.range();
	const bar = make("span", { class: "bar" });
	bar.style.background = gradient(table);
	parts.legend.replaceChildren(digits(low), bar, digits(high));
	parts.brush.show([here.name], [plane.activity()], pageColours(view.dark));
	showOrder();
	window.requestIdleCallback ? requestIdleCallback(readLayer) : setTimeout(readLayer, 50); // Safari has none
}

function signalNumbers() {
	const [kind, name] = [view.signal.split(":")[0], view.signal.slice(view.signal.indexOf(":") + 1)];
	if (kind === "trace") return Float64Array.from(facts.traces[name], (value) => value ?? Number.NaN);
	const plane = planes.get(quantity().place);
	if (kind === "unit") return view.picked.length ? plane.course(view.picked.at(-1)) : null;
	const token = facts.steps[view.cursor?.step ?? 0];
	return Float64Array.from(facts.steps, (step) => Number(step === token));
}

function showOrder() {
	const plane = planes.get(quantity().place);
	if (!plane) return;
	parts.signal.replaceChildren();
	if (view.order === "correlation") {
		const token = facts.steps[view.cursor?.step ?? 0];
		const signals = [
			...Object.keys(facts.traces).map((name) => [`trace:${name}`, words.trace(name)]),
			["token", words.cursorToken(shown(token))],
			...(view.picked.length ? [["unit", words.pickedUnit(view.picked.at(-1))]] : []),
		];
		if (!signals.some(([name]) => name === view.signal)) view.signal = signals[0][0];
		parts.signal.append(choice(words.signal, signals, view.signal, (value) => { view.signal = value; showOrder(); }));
	}
	const found = ordered(plane, view.order, view.order === "correlation" ? signalNumbers() : null);
	parts.scores = found.scores;
	parts.map.paint(plane, found.units, colourTable(plane.gate, view.dark));
	showCourse();
	draw();
}

function showCourse() {
	const plane = planes.get(quantity().place);
	const strokes = STROKES[view.dark ? "dark" : "light"];
	const names = view.picked.map((unit) => `${plane.name}[${unit}]`);
	const marks = names.map((name, index) => {
		const mark = make("span", {}, name);
		mark.style.color = strokes[index % 4];
		return mark;
	});
	parts.picked.replaceChildren(...(marks.length ? marks : [words.pick]));
	parts.lines.show(names, view.picked.map((unit) => plane.course(unit)), pageColours(view.dark));
	parts.lines.zoom(view.from, view.to);
}

function showReadout() {
	const at = view.cursor;
	if (!at) {
		parts.readout.replaceChildren(make("p", {}, words.point));
		return;
	}
	const unit = parts.map.units[at.row];
	const rows = [
		[words.step, String(at.step)],
		[words.token, shown(facts.steps[at.step])],
		...Object.entries(facts.traces).map(([name, values]) => [words.trace(name), values[at.step] === null ? words.notFinite : digits(values[at.step])]),
		...(facts.predictions[at.step] ?? []).map(([label, probability], index) => [
			index ? "" : words.predicted[facts.predicted],
			probability === null ? words.said(label) : `${shown(label)} ${(100 * probability).toFixed(1)}%`,
		]),
		[words.unit, parts.scores ? `${unit} (${words.perStep(digits(parts.scores[unit]))})` : String(unit)],
	];
	for (const each of layer().quantities) {
		const plane = planes.get(each.place);
		if (!plane || unit >= plane.units) continue;
		const value = plane.at(unit, at.step);
		rows.push([each.name, Number.isNaN(value) ? words.notFinite : digits(value)]);
	}
	parts.readout.replaceChildren(
		make("table", {}, ...rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)))),
	);
}

let waiting = false;

/** Draw before the next frame, once, however often it is asked for. */
function draw() {
	if (waiting) return;
	waiting = true;
	requestAnimationFrame(() => {
		waiting = false;
		for (const panel of [parts.map, parts.attention, parts.traces]) panel.draw(pageColours(view.dark));
		if (parts.map.plane && !performance.getEntriesByName("heat-map").length) performance.mark("heat-map");
		parts.range.textContent = words.steps(Math.floor(view.from), Math.ceil(view.to) - 1, count);
		parts.brush.mark(view.from, view.to);
		showReadout();
	});
}

// --- what the reader does ------------------------------------------------------------------------------------------

/** Show another part of the model, with its own steps. */
function showPart(part) {
	facts = part;
	count = facts.steps.length;
	Object.assign(view, wholePart(part));
	build();
}

/** Show a range of steps; all of them without one. */
function choose(from, to) {
	const width = Math.min(count, Math.max(4, to - from));
	const start = from === null ? 0 : Math.min(Math.max(0, from), count - width);
	[view.from, view.to] = from === null ? [0, count] : [start, start + width];
	parts.lines.zoom(view.from, view.to);
	draw();
}

function point(at) {
	view.cursor = at;
	draw();
}

function pick(row) {
	const unit = parts.map.units[row];
	view.picked = view.picked.includes(unit) ? view.picked.filter((each) => each !== unit) : [...view.picked, unit].slice(-4);
	showCourse();
	draw();
}

function zoomAt(step, factor) {
	const width = Math.max(4, (view.to - view.from) * factor);
	const share = (step - view.from) / (view.to - view.from);
	choose(step - share * width, step - share * width + width);
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressed(event) {
	const at = view.cursor ?? { step: Math.floor(view.from), row: 0 };
	const rows = parts.map.units.length;
	if (event.key in KEYS) {
		const [step, row] = KEYS[event.key];
		point({ step: Math.min(count - 1, Math.max(0, at.step + step)), row: Math.min(rows - 1, Math.max(0, at.row + row)) });
		const past = Math.min(0, view.cursor.step - view.from) || Math.max(0, view.cursor.step + 1 - view.to);
		if (past) choose(view.from + past, view.to + past);
	} else if (event.key === "Enter") pick(at.row);
	else if (event.key === "+" || event.key === "=") zoomAt(at.step, 0.5);
	else if (event.key === "-") zoomAt(at.step, 2);
	else if (event.key === "Escape") choose(null, null);
	else return;
	event.preventDefault();
}

function listen() {
	const under = (event) => {
		const box = parts.canvas.getBoundingClientRect();
		return parts.map.under(event.clientX - box.left, event.clientY - box.top);
	};
	// The cursor stays where the pointer left the picture, so that its numbers can be read.
	parts.canvas.addEventListener("pointermove", (event) => point(under(event) ?? view.cursor));
	parts.canvas.addEventListener("click", (event) => {
		const at = under(event);
		if (!at) return;
		point(at);
		pick(at.row);
	});
	parts.canvas.addEventListener("wheel", (event) => {
		const at = under(event);
		if (!at || !(event.ctrlKey || event.shiftKey || event.altKey)) return; // a plain wheel scrolls the page
		event.preventDefault();
		zoomAt(at.step, event.deltaY < 0 ? 0.8 : 1.25);
	}, { passive: false });
	parts.canvas.addEventListener("keydown", pressed);
	new ResizeObserver(draw).observe(parts.canvas);
}

if (typeof DecompressionStream === "undefined") page.append(make("p", {}, words.tooOld));
else build();
