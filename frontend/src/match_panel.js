// The panel of matches: where in a corpus the pattern of units was found that was taken from this sequence.

import { colourTable } from "./colours.js";
import { make } from "./dom.js";
import { shown } from "./heatmap.js";
import { MATCH_LANGUAGES } from "./match_words.js";

const ROW = 12; // pixels of a unit
const AROUND = 40; // steps before and after the pattern's interval
const LONGEST = 30; // characters of a text before and after a match

/**
 * The section of the matches; nothing where there are none.
 *
 * @param facts of the page.
 * @param view what is in view.
 * @param build builds the page anew, after the view has changed.
 */
export function matchPanel(facts, view, build) {
	const { matches } = facts;
	if (!matches) return [];
	const words = MATCH_LANGUAGES[view.language];
	const { found, units, count, steps } = matches;
	const said = found.length ? words.count(found.length, count.toLocaleString(), steps.toLocaleString()) : words.none(steps.toLocaleString());
	const marks = units.map((each) => make("code", {}, each.text));
	const drawn = firstView(facts).picked.length;
	const show = () => {
		Object.assign(view, firstView(facts));
		build();
		document.querySelector("canvas[tabindex]").focus();
	};
	const button = make("button", { type: "button", click: show }, words.show);
	const rows = found.map((each) => row(each, units, view, words));
	return [
		make(
			"section",
			{ class: "matches" },
			make("h2", {}, words.title),
			make("p", {}, said),
			make("p", { class: "units" }, ...marks, button),
			...(units.length > drawn ? [make("p", { class: "hint drawn" }, words.drawn(drawn, units.length))] : []),
			...(rows.length ? [make("p", { class: "hint" }, words.open), make("ol", {}, ...rows)] : []),
		),
	];
}

/** A match: its score and its text, and below it the values of the units when it is open. */
function row(match, units, view, words) {
	const [before, inside, after] = match.text;
	const characters = (text) => Array.from(text);
	const name = words.place(match.sequence + 1, match.start);
	const summary = make(
		"summary",
		{ title: name },
		make("span", { class: "score" }, match.score.toFixed(2)),
		make("span", { class: "before" }, shown(characters(before).slice(-LONGEST).join(""), LONGEST + 1)),
		make("mark", {}, shown(inside, 2 * LONGEST)),
		make("span", { class: "after" }, shown(characters(after).slice(0, LONGEST).join(""), LONGEST + 1)),
	);
	const details = make("details", {
		toggle: () => {
			if (details.open && details.children.length === 1) details.append(...picture(match, units, view, words, name));
		},
	}, summary);
	return make("li", {}, details);
}

/** The small heat map of a match: each unit on the scale of its own values here. */
function picture(match, units, view, words, name) {
	const steps = match.tokens.length;
	const table = colourTable(false, view.dark);
	const canvas = make("canvas", { class: "small", role: "img", "aria-label": `${name}. ${words.values}` });
	canvas.width = steps;
	canvas.height = units.length;
	canvas.style.height = `${ROW * units.length}px`;
	const image = new ImageData(steps, units.length);
	const pixels = new Uint32Array(image.data.buffer);
	match.values.forEach((values, unit) => {
		const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)), 1e-30);
		values.forEach((value, step) => {
			pixels[unit * steps + step] = value === null ? table[256] : table[Math.round(127.5 + (127.5 * value) / largest)];
		});
	});
	canvas.getContext("2d").putImageData(image, 0, 0);
	const frame = make("div", { class: "frame" });
	frame.style.left = `${(100 * (match.start - match.first)) / steps}%`;
	frame.style.width = `${(100 * (Math.min(match.end, match.first + steps) - match.start)) / steps}%`;
	const names = units.map((each) => make("li", {}, `${each.quantity}[${each.unit}]`));
	const tokens = match.tokens.map((token) => make("span", {}, shown(token, 4)));
	const picture = make("div", { class: "pixels" }, canvas, frame, make("div", { class: "tokens", "aria-hidden": "true" }, ...tokens));
	return [make("p", { class: "place" }, name), make("div", { class: "closer" }, make("ul", {}, ...names), picture)];
}

/** What the page shows first: the units and the interval of the pattern, where there is one. */
export function firstView(facts) {
	const [layer, quantity] = [facts.matches?.units[0].layer ?? 0, facts.matches?.units[0].quantity];
	const index = Math.max(0, facts.layers[layer].quantities.findIndex((each) => each.name === quantity));
	const units = (facts.matches?.units ?? []).filter((each) => each.layer === layer && each.quantity === quantity);
	const marked = { layer, quantity: index, units: units.map((each) => each.unit), interval: facts.matches?.interval };
	const place = { layer, quantity: index, marked, picked: marked.units.slice(0, 4) };
	if (!marked.interval) return place;
	const [from, to] = marked.interval;
	return { ...place, from: Math.max(0, from - AROUND), to: Math.min(facts.steps.length, to + AROUND) };
}
