// The page of a gradient flow: the verdict, the norms over the steps with what theory predicts, the step's Jacobian; and
// beside each of them the same after a treatment.

import { choice, digits, make } from "./dom.js";
import { head, section, table, view } from "./frame.js";
import { LANGUAGES } from "./flow_words.js";
import { Panel } from "./panels.js";

const facts = JSON.parse(document.getElementById("facts").textContent);
const page = document.getElementById("page");
const steps = facts.steps.map((_, step) => step);
const MOST_LINES = 4;
let words = LANGUAGES.en;
let later = []; // charts are drawn when they are in the page, whose width they have

Object.assign(view, { layer: 0 });

function build() {
	words = LANGUAGES[view.language];
	later = [];
	const [first, last] = [facts.flows[0], facts.flows.at(-1)];
	page.replaceChildren(
		head(words.title(facts.title), build),
		make("p", { class: "facts" }, [words.steps(steps.length), losses(), words.lossOf[first.lossOf]].join(" · ")),
		...(last.treatment ? [make("p", { class: "note" }, treatment(last))] : []),
		section(words.verdict, ...facts.flows.map(verdict)),
		overview(),
		make("div", { class: "controls" }, picker()),
		...(last.layers[view.layer].dynamics ? [make("p", { class: "note" }, words.theoryAbout)] : []),
		make("div", { class: "panels" }, ...norms()),
		section(words.jacobian, ...panels(jacobian())),
		slopes(),
	);
	for (const draw of later) draw();
	performance.mark("drawn");
}

const name = (flow) => (flow.treatment ? words.after(flow.treatment) : words.before);
const number = (value) => (value === null ? "–" : digits(value));

/** The loss; with a treatment that of the copy that begins anew too, which has not learned: clipping changes none. */
function losses() {
	const [first, last] = [facts.flows[0], facts.flows.at(-1)];
	return first === last || last.treatment === "clip" ? words.loss(number(first.loss)) : words.losses(number(first.loss), name(last), number(last.loss));
}

const placed = (layer) => words.place(layer.layer, layer.direction);

function treatment(flow) {
	const clipped = flow.treatment === "clip" ? ` ${words.scaled(flow.scaled)}` : "";
	return words.treatments[flow.treatment] + clipped;
}

function verdict(flow) {
	const each = flow.findings.map((found) => {
		const fate = `${placed(found)}, ${found.state}: ${words.fates[found.fate](found)}.`;
		return make("li", { class: found.fate }, fate, found.cure && found.cure !== flow.treatment ? ` ${words.cures[found.cure]}` : "");
	});
	const title = facts.flows.length > 1 ? [make("h3", {}, name(flow))] : [];
	return make("div", {}, ...title, make("ul", {}, ...each));
}

function picker() {
	const names = facts.flows[0].layers.map((layer, index) => [String(index), placed(layer)]);
	return choice(words.layer, names, String(view.layer), (value) => { view.layer = Number(value); build(); });
}

// --- charts ----------------------------------------------------------------------------------------------------------

/** A chart of lines that have a number. */
function chart(title, xs, lines, how) {
	const panel = new Panel(title, words.hint, words.step, 230);
	const there = lines.filter(([, values]) => values.some((value) => value !== null));
	later.push(() => panel.show(xs, there, { log: true, ...how }));
	return panel.element;
}

/** Each state in the layers, some of them where there are many: how the gradient falls from the last one down. */
function overview() {
	const { layers } = facts.flows[0];
	if (layers.length < 2) return "";
	const stride = Math.max(1, Math.ceil(layers.length / MOST_LINES));
	const chosen = layers.filter((_, index) => (layers.length - 1 - index) % stride === 0);
	const each = Object.keys(layers[0].states).map((state) =>
		chart(words.all(state), steps, chosen.map((layer) => [placed(layer), layer.states[state].norms]), { names: facts.steps }),
	);
	return make("div", { class: "panels" }, ...each);
}

function norms() {
	const layers = facts.flows.map((flow) => flow.layers[view.layer]);
	return Object.keys(layers[0].states).map((state) => {
		const lines = facts.flows.flatMap((flow, index) => {
			const found = layers[index].states[state];
			const after = facts.flows.length > 1 ? `, ${name(flow)}` : "";
			return [[words.measured + after, found.norms], [words.theory + after, found.predicted]];
		});
		return chart(words.norm(state), steps, lines, { names: facts.steps });
	});
}

function jacobian() {
	return facts.flows.flatMap((flow) => {
		const found = flow.layers[view.layer].dynamics;
		if (!found) return [];
		const lines = ["largest", "median", "smallest", "radius"].map((key) => [words[key], found[key]]);
		const after = facts.flows.length > 1 ? ` (${name(flow)})` : "";
		return [chart(words.singular + after, found.steps, lines, { names: facts.steps })];
	});
}

const panels = (inside) => (inside.length ? [make("div", { class: "panels" }, ...inside)] : []);

function slopes() {
	const layers = facts.flows.map((flow) => flow.layers[view.layer]);
	const growth = (value) => (value === null || value === undefined ? "–" : value.toFixed(4));
	const rows = Object.keys(layers[0].states).map((state) => [words.slope(state), ...layers.map((layer) => growth(layer.states[state].slope))]);
	rows.push([words.predicted, ...layers.map((layer) => growth(layer.dynamics?.slope))]);
	rows.push([words.lyapunov, ...layers.map((layer) => growth(layer.dynamics?.lyapunov))]);
	return section(`${words.slopes}, ${placed(layers[0])}`, table(rows, facts.flows.map(name)), make("p", { class: "note" }, words.units));
}

build();
