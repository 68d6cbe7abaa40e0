// The panels of the live page that follow a pause in typing: the gradient on its way back, and the memory.

import { Chart } from "./charts.js";
import { digits, make } from "./dom.js";
import { effects, gradientFlow, horizon, logRadii, mean, slope } from "./measures.js";

const LAGS = 40; // steps back at which another token is tried
const HEIGHT = 190;
const OTHERS = 2; // tokens that take its place
const SLICE = 12; // milliseconds of work, after which a key may come in between

export class Panels {
	constructor(place, words, colours) {
		Object.assign(this, { words, colours, turn: 0 });
		this.gradient = new Panel(words.gradient, words.gradientAbout);
		this.memory = new Panel(words.memory, words.memoryAbout);
		place.replaceChildren(this.gradient.element, this.memory.element);
	}

	/** Leave what is being measured: the model is about to be another one. */
	stop() {
		this.turn += 1;
	}

	/** Measure the gradient of a layer, and how far back the model looks, in slices. */
	async show(model, layer, clip, strokes) {
		this.stop();
		const start = performance.now();
		if (model.tokens.length < 2) {
			for (const panel of [this.gradient, this.memory]) panel.say(this.words.tooShort);
			return;
		}
		const norms = gradientFlow(model, clip)[layer];
		const radii = await this.#sliced(logRadii(model.layers[layer], model.tokens.length - 1));
		if (!radii) return;
		this.#showGradient(norms, mean(radii), strokes);
		const found = await this.#sliced(effects(model, LAGS, model.facts.drawn.slice(0, OTHERS)));
		if (!found) return;
		this.memory.show([this.words.memory], [found], this.colours());
		this.memory.mark([[this.words.horizon(horizon(found)), strokes[0]]]);
		performance.measure("panels", { start });
	}

	/** All that a generator gives, worked out in slices; nothing where it was left. */
	async #sliced(generator) {
		const { turn } = this;
		const found = [];
		let since = performance.now();
		for (const each of generator) {
			found.push(each);
			if (performance.now() - since < SLICE) continue;
			await new Promise((done) => setTimeout(done));
			if (turn !== this.turn) return null;
			since = performance.now();
		}
		return found;
	}

	#showGradient(norms, theory, strokes) {
		const names = Object.keys(norms);
		const first = Math.max(...names.map((name) => norms[name][0]));
		const line = norms[names[0]].map((_, back) => Math.log10(first) + (back * theory) / Math.LN10);
		this.gradient.show([...names, this.words.theory], [...names.map((name) => norms[name].map(Math.log10)), line], this.colours());
		const measured = names.map((name, place) => {
			const found = slope(norms[name]);
			const said = Number.isNaN(found) ? this.words.nothing(name) : this.words.measured(name, digits(Math.exp(found)), this.#life(found));
			return [said, strokes[place % 4]];
		});
		const predicted = Number.isFinite(theory) ? this.words.theorySlope(digits(Math.exp(theory))) : this.words.theoryNothing;
		this.gradient.mark([...measured, [predicted, strokes[names.length % 4]]]);
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
