// The page of a comparison: cells on one job side by side.

import { LANGUAGES } from "./compare_words.js";
import { choice, digits, make } from "./dom.js";
import { bars, lines, mark } from "./plot.js";
import { firstLanguage } from "./words.js";

const facts = JSON.parse(document.getElementById("facts").textContent);
const view = {
	language: firstLanguage(),
	dark: matchMedia("(prefers-color-scheme: dark)").matches,
	distance: facts.distances.at(-1) ?? null,
	when: "end",
};
const page = document.getElementById("page");
const LEAST_SHARE = 1e-12;
let words = LANGUAGES[view.language];
let redraw = [];

// --- building ------------------------------------------------------------------------------------------------------

function build() {
	words = LANGUAGES[view.language];
	document.documentElement.lang = view.language;
	document.documentElement.dataset.theme = view.dark ? "dark" : "light";
	redraw = [];
	page.replaceChildren(header(), ...about(), ...scores(), ...costs(), ...gradients(), ...equations(), ...settings());
	draw();
}

function draw() {
	for (const one of redraw) one();
}

/** A place for a chart, which is drawn as wide as the place is, and again when that changes. */
function chart(made) {
	const place = make("div", { class: "chart" });
	redraw.push(() => place.replaceChildren(made(Math.max(220, place.clientWidth))));
	return place;
}

function header() {
	const buttons = make(
		"div",
		{ class: "buttons" },
		make("button", { type: "button", id: "language", click: () => { view.language = view.language === "en" ? "ko" : "en"; build(); } }, words.language),
		make("button", { type: "button", id: "theme", click: () => { view.dark = !view.dark; build(); } }, words.theme),
	);
	return make("header", {}, make("h1", {}, facts.title), buttons);
}

function about() {
	const notes = facts.notes.map((one) => make("p", { class: "note" }, `${words.run(one)}: ${said(one.note)}`));
	return [make("p", { class: "about" }, `${words.job}: ${facts.job}. ${words.data}: ${said(facts.data)}.`), ...notes];
}

/** A sentence of the library in the reader's language: the parts of it that there are words for. */
function said(text) {
	return words.parts.reduce((found, [part, translated]) => found.replace(part, translated), text);
}

function legend() {
	return make("ul", { class: "legend" }, ...facts.cells.map((cell, index) => make("li", {}, mark(index), cell.name)));
}

function table(head, rows) {
	const line = (cells, tag) => make("tr", {}, ...cells.map((cell, place) => make(place && tag === "td" ? "td" : "th", { scope: tag === "td" ? "row" : "col" }, cell)));
	const place = make("div", { class: "scroll", tabindex: "0" }, make("table", {}, make("thead", {}, line(head, "th")), make("tbody", {}, ...rows.map((row) => line(row, "td")))));
	const hint = make("p", { class: "hint" }, words.scrolls);
	redraw.push(() => {
		hint.hidden = place.scrollWidth <= place.clientWidth;
	});
	return make("div", {}, hint, place);
}

// --- scores --------------------------------------------------------------------------------------------------------

function scores() {
	const measured = facts.distances.length > 0;
	return [
		make("h2", {}, words.score(facts.metric)),
		make("p", { class: "about" }, words.means),
		legend(),
		chart((width) => scoreChart(width, measured)),
		scoreTable(measured),
	];
}

function scoreChart(width, measured) {
	const places = measured ? facts.distances : facts.cells.map((_, index) => index);
	const names = measured ? facts.distances : facts.cells.map((cell) => cell.name);
	const series = facts.cells.map((cell, index) => ({
		index,
		name: cell.name,
		points: facts.scores
			.filter((score) => score.cell === cell.name && score.mean !== null)
			.map((score) => ({ x: measured ? score.distance : index, y: score.mean, low: score.low, high: score.high, title: told(score) })),
	}));
	const rules = facts.baselines.map(([name, y]) => ({ y, label: said(name) }));
	if (facts.solved !== null) rules.push({ y: facts.solved, label: words.solvedFrom });
	const x = {
		low: Math.min(...places), high: Math.max(...places), log: measured, pad: 34, spread: measured ? 40 : 0,
		label: measured ? words.distance : "", ticks: places.map((place, at) => [place, String(names[at])]),
	};
	const description = measured ? words.overDistance(facts.metric) : words.ofCells(facts.metric);
	return lines({ width, height: 320, x, y: scoreAxis(rules), series, rules, description });
}

function scoreAxis(rules) {
	const all = [...facts.scores.flatMap((score) => [score.low, score.high]), ...rules.map((rule) => rule.y)].filter((value) => value !== null);
	if (facts.metric === "accuracy") return { low: 0, high: 1, label: facts.metric };
	const [low, high] = [Math.min(...all), Math.max(...all)];
	if (low > 0 && high / low > 8) return { low: low / 1.5, high: high * 1.5, log: true, label: facts.metric };
	const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
	return { low: low - room, high: high + room, label: facts.metric };
}

function told(score) {
	const at = score.distance === null ? "" : ` ${score.distance}`;
	const solved = score.solved === null ? "" : `, ${words.solvedBy(score.solved, score.seeds)}`;
	const diverged = score.diverged ? `, ${words.divergedBy(score.diverged, score.seeds)}` : "";
	return `${score.cell}${at}: ${facts.metric} ${digits(score.mean)} (${digits(score.low)} – ${digits(score.high)})${solved}${diverged}`;
}

function scoreTable(measured) {
	const shown = (score) => {
		if (!score) return "–";
		const diverged = score.diverged ? [words.divergedBy(score.diverged, score.seeds)] : [];
		return [...(score.mean === null ? [] : [`${digits(score.mean)} (${digits(score.low)} – ${digits(score.high)})`]), ...diverged].join(", ");
	};
	const columns = measured ? facts.distances : [null];
	const rows = facts.cells.map((cell) => [
		cell.name,
		...columns.map((distance) => shown(facts.scores.find((score) => score.cell === cell.name && score.distance === distance))),
		...(measured ? [reach(cell)] : []),
	]);
	return table([words.cell, ...columns.map((distance) => (distance === null ? facts.metric : String(distance))), ...(measured ? [words.reaches] : [])], rows);
}

function reach(cell) {
	const [low, high] = [Math.min(...cell.reaches), Math.max(...cell.reaches)];
	return high === 0 ? words.none : words.steps(low, high);
}

// --- costs ---------------------------------------------------------------------------------------------------------

const MEASURES = [
	["training", (cost) => cost.training_ms, (value) => `${digits(value)} ms`],
	["forward", (cost) => cost.forward_ms, (value) => `${digits(value)} ms`],
	["saved", (cost) => cost.saved_bytes / 1e6, (value) => `${digits(value)} MB`],
	["parameters", (cost) => cost.parameters, (value) => value.toLocaleString("en")],
];

function costs() {
	const panels = MEASURES.map(([name, read, shown]) => {
		const rows = facts.cells.map((cell, index) => ({ index, name: cell.name, value: read(cell.cost), words: shown(read(cell.cost)) }));
		return make("section", {}, make("h3", {}, words[name]), chart((width) => bars({ width, rows, description: words[name] })));
	});
	const rows = facts.cells.map((cell) => [cell.name, String(cell.cost.hidden_size), ...MEASURES.map(([, read, shown]) => shown(read(cell.cost))), said(cell.start)]);
	return [
		make("h2", {}, words.costs),
		make("p", { class: "about" }, `${facts.budget === "units" ? words.sameUnits : words.sameParameters} ${words.measured(facts.cells[0].cost)}`),
		make("div", { class: "panels" }, ...panels),
		table([words.cell, words.hidden, ...MEASURES.map(([name]) => words[name]), words.start], rows),
	];
}

// --- gradients -----------------------------------------------------------------------------------------------------

function gradients() {
	if (!facts.gradients.length) return [];
	const whens = ["start", "end"].filter((when) => facts.gradients.some((one) => one.when === when));
	if (!whens.includes(view.when)) view.when = whens[0];
	const picture = chart(gradientChart);
	const controls = make("div", { class: "controls" });
	const chosen = (name, read) => (value) => { view[name] = read(value); draw(); };
	if (facts.distances.length > 1) {
		controls.append(choice(words.at, facts.distances.map((distance) => [String(distance), String(distance)]), String(view.distance), chosen("distance", Number)));
	}
	if (whens.length > 1) controls.append(choice(words.when, whens.map((when) => [when, words.whens[when]]), view.when, chosen("when", String)));
	return [make("h2", {}, words.gradient), make("p", { class: "about" }, facts.distances.length ? words.gradientOfLoss : words.gradientOfOutput), controls, legend(), picture, counted()];
}

/** A line that says of how many seeds each mean is: a run that diverged has no gradient. */
function counted() {
	const place = make("p", { class: "about counted" });
	redraw.push(() => {
		place.textContent = words.meanOf(shownGradients().map((one) => `${one.cell} ${words.ofSeeds(one.counted, one.seeds)}`).join(", "));
	});
	return place;
}

function shownGradients() {
	return facts.gradients.filter((one) => one.distance === view.distance && one.when === view.when);
}

function gradientChart(width) {
	const here = shownGradients();
	const series = here.map((one) => ({
		index: facts.cells.findIndex((cell) => cell.name === one.cell),
		name: one.cell,
		plain: true,
		points: one.norms.map((norm, step) => ({ x: step, y: norm === null || norm < LEAST_SHARE ? null : norm })),
	}));
	const all = series.flatMap((one) => one.points.map((point) => point.y)).filter((value) => value !== null);
	const y = { low: Math.max(LEAST_SHARE, Math.min(0.1, ...all) / 1.5), high: Math.max(1, ...all) * 1.5, log: true, label: words.share };
	const last = Math.max(1, ...here.map((one) => one.norms.length - 1));
	return lines({ width, height: 300, x: { low: 0, high: last, label: words.back }, y, series, description: words.gradientChart });
}

// --- equations and settings ----------------------------------------------------------------------------------------

function equations() {
	const cards = facts.cells.map((cell) => {
		const place = make("div", { class: "scroll", tabindex: "0" });
		place.innerHTML = cell.equations; // written by the library, from names that it has checked
		return make("section", { class: "card" }, make("h3", {}, cell.name), place);
	});
	return [make("h2", {}, words.equations), make("div", { class: "cards" }, ...cards)];
}

function settings() {
	const rows = facts.settings.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
	return [make("h2", {}, words.settings), make("table", { class: "settings" }, make("tbody", {}, ...rows))];
}

let width = window.innerWidth;
window.addEventListener("resize", () => {
	if (width === window.innerWidth) return;
	width = window.innerWidth;
	draw();
});
build();
