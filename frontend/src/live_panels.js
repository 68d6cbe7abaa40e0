// The panels of the live page that follow a pause in typing: the gradient on its way back, and the memory.

import { Chart } from "./charts.js";
import { digits, make } from "./dom.js";
import { gradientFlow, horizon, memory, predictedSlope, slope } from "./measures.js";

const LAGS = 40; // steps back at which another token is tried
const HEIGHT = 190;
const OTHERS = 2; // tokens that take its place

export class Panels {
	constructor(place, words, colours) {
		Object.assign(this, { words, colours });
		this.gradient = new Panel(words.gradient, words.gradientAbout);
		this.memory = new Panel(words.memory, words.memoryAbout);
		place.replaceChildren(this.gradient.element, this.memory.element);
	}

	/** Measure the gradient of a layer, and how far back the model looks. */
	show(model, layer, clip, strokes) {
		if (model.tokens.length < 2) {
			for (const panel of [this.gradient, this.memory]) panel.say(this.words.tooShort);
			return;
		}
		this.#gradient(model, layer, clip, strokes);
		this.#memory(model, strokes);
	}

	#memory(model, strokes) {
		const effects = memory(model, LAGS, model.facts.drawn.slice(0, OTHERS));
		this.memory.show([this.words.memory], [effects], this.colours());
		this.memory.mark([[this.words.horizon(horizon(effects)), strokes[0]]]);
	}

	#gradient(model, layer, clip, strokes) {
		const norms = gradientFlow(model, clip)[layer];
		const names = Object.keys(norms);
		const theory = predictedSlope(model.layers[layer], model.tokens.length - 1);
		const first = Math.max(...names.map((name) => norms[name][0]));
		const line = norms[names[0]].map((_, back) => Math.log10(first) + (back * theory) / Math.LN10);
		this.gradient.show([...names, this.words.theory], [...names.map((name) => norms[name].map(Math.log10)), line], this.colours());
		const measured = names.map((name, place) => {
			const found = slope(norms[name]);
			return [this.words.measured(name, digits(found), this.#life(found)), strokes[place % 4]];
		});
		this.gradient.mark([...measured, [this.words.theorySlope(digits(theory)), strokes[names.length % 4]]]);
	}

	#life(found) {
		const steps = Math.LN2 / Math.abs(found);
		if (!Number.isFinite(steps) || steps > 1000) return "";
		return found < 0 ? this.words.halves(digits(steps)) : this.words.doubles(digits(steps));
	}
}

/** A title, what is drawn, its lines, and a sentence for each in the line's colour. */
class Panel {
	constructor(title, about) {
		this.place = make("div", { class: "chart", role: "img", "aria-label": title });
		this.marks = make("div", { class: "marks", role: "status" });
		this.element = make("section", {}, make("h2", {}, title), make("p", { class: "small" }, about), this.place, this.marks);
		this.chart = new Chart(this.place, HEIGHT, () => {}, () => {});
	}

	say(sentence) {
		this.chart.show([], [], {});
		this.marks.replaceChildren(sentence);
	}

	show(names, courses, colours) {
		this.chart.show(names, courses, colours);
	}

	mark(sentences) {
		this.marks.replaceChildren(
			...sentences.map(([sentence, colour]) => {
				const mark = make("span", {}, sentence);
				mark.style.color = colour;
				return mark;
			}),
		);
	}
}
