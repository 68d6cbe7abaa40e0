// The parts of a model, each with steps of its own: an encoder reads some, a decoder writes others.

import { make } from "./dom.js";
import { firstView } from "./match_panel.js";

/** The parts of a page's facts, the first one first, each with what is said of the whole. */
export function partsOf(facts) {
	const { title, answer, notes } = facts;
	return [facts, ...(facts.others ?? [])].map((part) => ({ ...part, title, answer, notes }));
}

/** What is in view when a part is shown: all of its steps, its first layer and quantity; or the pattern of matches. */
export function wholePart(part) {
	const [trace] = Object.keys(part.traces);
	const signal = trace === undefined ? "token" : `trace:${trace}`;
	return { signal, from: 0, to: part.steps.length, cursor: null, picked: [], ...firstView(part) };
}

/** Buttons that choose the part; none where there is one. */
export function partButtons(parts, current, words, choose) {
	if (parts.length < 2) return [];
	const buttons = parts.map((each) =>
		make(
			"button",
			{ type: "button", "data-part": each.part, "aria-pressed": String(each.part === current.part), click: () => choose(each) },
			words.parts[each.part] ?? each.part,
		),
	);
	return [make("div", { class: "tabs", role: "group", "aria-label": words.part }, ...buttons)];
}
