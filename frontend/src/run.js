// The page of a run: why it failed, its curves, its layers over the updates, its scores, sizes and settings.

import { choice, digits, make } from "./dom.js";
import { head, section, table, view } from "./frame.js";
import { Panel } from "./panels.js";
import { LANGUAGES } from "./run_words.js";

const facts = JSON.parse(document.getElementById("facts").textContent);
const page = document.getElementById("page");
const updates = facts.curves.update;
let words = LANGUAGES.en;
let later = []; // charts are drawn when they are in the page, whose width they have

Object.assign(view, { layer: 0, state: "" });

function build() {
	words = LANGUAGES[view.language];
	later = [];
	page.replaceChildren(
		head(words.title(facts.title), build),
		failure(),
		make("p", { class: "facts" }, summary()),
		...remarks().map((text) => make("p", { class: "note" }, text)),
		make("div", { class: "panels" }, ...curves()),
		layers(),
		scores(),
		section(words.sample, ...facts.samples.map((text) => make("pre", { tabindex: "0" }, text))),
		make("div", { class: "tables" }, ...sizes(), machine()),
		settings(),
	);
	for (const draw of later) draw();
	performance.mark("drawn");
}

function failure() {
	if (!facts.failure) return "";
	// One clause a line: what was first, what it was made of, what may help.
	const clauses = facts.failure.split("; ").map((clause) => make("p", {}, clause));
	return make("div", { class: "failure", role: "alert" }, make("h2", {}, words.failed(facts.failedAt)), ...clauses);
}

function summary() {
	if (!updates.length) return [facts.task, facts.cell].filter(Boolean).join(" · ");
	const [epochs, seconds] = ["epoch", "seconds"].map((name) => facts.curves[name]?.at(-1) ?? 0);
	const losses = (facts.curves.validation_loss ?? []).map((loss) => loss ?? Number.POSITIVE_INFINITY);
	const lowest = Math.min(...losses);
	const best = Number.isFinite(lowest) ? words.best(digits(lowest), updates[losses.indexOf(lowest)]) : words.noValidation;
	return `${words.facts({ ...facts, updates: updates.at(-1), epochs, seconds: Math.round(seconds) })} · ${best}`;
}

function remarks() {
	const found = [];
	if (!updates.length) found.push(words.noRows);
	else if (facts.missing.length) found.push(words.missing(facts.missing.join(", ")));
	if (!facts.layers.length) found.push(words.unwatched);
	return found;
}

// --- curves ----------------------------------------------------------------------------------------------------------

/** A chart of some columns, without those that have no number. */
function chart(title, xName, xs, lines, how) {
	const panel = new Panel(title, words.hint, xName);
	const there = lines.filter(([, values]) => values?.some((value) => value !== null));
	later.push(() => panel.show(xs, there, how));
	return there.length ? [panel.element] : [];
}

function curves() {
	const of = (name) => facts.curves[name];
	const clip = { note: words.clipAt(facts.clip) };
	return [
		...chart(words.loss, words.update, updates, [[words.training, of("train_loss")], [words.validation, of("validation_loss")]], { note: words.lossNote }),
		...chart(words.rate, words.update, updates, [[words.rate, of("learning_rate")]]),
		...chart(words.norm, words.update, updates, [[words.norm, of("gradient_norm")]], { log: true, ...clip }),
		...chart(words.clipRate, words.update, updates, [[words.clipRate, of("clip_rate")]], { range: [0, 1], ...clip }),
	];
}

// --- layers ----------------------------------------------------------------------------------------------------------

function layers() {
	if (!facts.layers.length) return "";
	const layer = facts.layers[view.layer];
	const names = facts.layers.map((each, index) => [String(index), each.name]);
	const pick = choice(words.layer, names, String(view.layer), (value) => { view.layer = Number(value); build(); });
	const share = (note) => ({ range: [0, 1], note });
	return section(
		words.layers,
		make("div", { class: "controls" }, pick),
		make(
			"div",
			{ class: "panels" },
			...chart(words.saturated, words.update, layer.updates, Object.entries(layer.saturated), share(words.saturatedNote)),
			...chart(words.dead, words.update, layer.updates, Object.entries(layer.dead), share(words.deadNote)),
			...Object.entries(layer.gradient).flatMap(([state, looks]) => gradient(layer, state, looks)),
		),
	);
}

/** The gradient by steps back at the first look, in the middle and at the last. */
function gradient(layer, state, looks) {
	const chosen = [...new Set([0, Math.floor((looks.length - 1) / 2), looks.length - 1])].filter((at) => looks[at].length);
	const backs = [...new Set(chosen.flatMap((at) => looks[at].map(([back]) => back)))].sort((a, b) => a - b);
	const lines = chosen.map((at) => {
		const by = new Map(looks[at]);
		return [words.after(layer.updates[at]), backs.map((back) => by.get(back) ?? null)];
	});
	return chart(words.gradient(state), words.back, backs, lines, { log: true, note: words.gradientNote });
}

// --- tables ----------------------------------------------------------------------------------------------------------

const entries = (object) => Object.entries(object);
const size = (bytes) => (bytes < 1e4 ? `${bytes} B` : bytes < 1e7 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function scores() {
	const rows = entries(facts.scores);
	if (!rows.length) return "";
	const metrics = [...new Set(rows.flatMap(([, row]) => Object.keys(row)))];
	const cells = rows.map(([name, row]) => [name, ...metrics.map((metric) => (row[metric] === null || row[metric] === undefined ? "–" : digits(row[metric])))]);
	const verdict = facts.verdict ? [make("p", { class: "note" }, words.verdict(facts.verdict))] : [];
	return section(words.scores, make("p", { class: "facts" }, words.scored(facts.scored)), ...verdict, table(cells, metrics));
}

function sizes() {
	const parts = entries(facts.parameters);
	const all = parts.reduce((sum, [, count]) => sum + count, 0);
	const rows = [...parts, [words.all, all]].map(([name, count]) => [name, count.toLocaleString("en")]);
	return [
		parts.length ? section(words.sizes, table(rows)) : "",
		section(words.files, table(entries(facts.files).map(([name, bytes]) => [name, size(bytes)]))),
	];
}

function machine() {
	const rows = entries(facts.machine);
	return section(words.machine, rows.length ? table(rows) : make("p", {}, words.noMachine));
}

function settings() {
	const rows = entries(facts.settings);
	const third = Math.ceil(rows.length / 3);
	const parts = [0, 1, 2].map((part) => rows.slice(part * third, (part + 1) * third)).filter((part) => part.length);
	return section(words.settings, make("div", { class: "tables" }, ...parts.map((part) => table(part))));
}

build();
