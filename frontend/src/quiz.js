// Questions that the reader answers first; the page measures the answer then, with the model and the text at hand.

import { make } from "./dom.js";
import { gradientFlow, horizon, memory, slope } from "./measures.js";

export const NEEDED = 30; // tokens
const BEND = 10; // steps back, before which the course of the gradient is not straight
const BACK = 40; // steps that are told of the straight part
const FAR = 40; // steps back at which the memory is looked for
const ALIKE = 0.05; // a change below this share is none

/**
 * The share of the gradient of all states that is left after `BACK` steps, by its slope beyond the bend.
 *
 * The norm at one step says little: a closed gate makes the first steps larger, and yet the gradient falls faster.
 */
export function gradientLeft(model) {
	const norms = Object.values(gradientFlow(model)[0]);
	const together = norms[0].map((_, step) => Math.hypot(...norms.map((each) => each[step])));
	const found = slope(together.slice(BEND));
	return Number.isNaN(found) ? 0 : Math.exp(BACK * found); // no gradient arrives there
}

const others = (model) => model.facts.drawn.slice(0, 3);
const surprise = (model) => -Math.log2(model.predicted.at(-2)[model.tokens.at(-1)]);

/** A question that changes the model, and measures it before and after. */
const change = (id, changes, measure) => ({
	id,
	changes,
	measure: (model) => [measure(model.with({ bias: 0, factor: 1, variant: "" })), measure(model.with({ bias: 0, factor: 1, variant: "", ...changes }))],
});

/** The questions that fit a model. */
export function questions(facts) {
	const keeps = facts.keep.length > 0;
	const recurs = facts.recurrent[0].length > 0;
	const back = (model) => horizon(memory(model, FAR, others(model)));
	const found = [];
	if (keeps) found.push(change("forgets", { bias: -3 }, gradientLeft), change("keeps", { bias: 3 }, back));
	if (recurs) found.push(change("shrinks", { factor: 0.5 }, gradientLeft));
	if (recurs && !keeps) found.push(change("grows", { factor: 2 }, gradientLeft));
	const held = keeps && `${facts.keep[0][0].split(".")[1]} = 1`; // the gate that keeps, always open
	const other = facts.graphs.find(({ variant }) => variant === held) ?? facts.graphs.at(-1);
	if (other.variant) found.push({ ...change("variant", { variant: other.variant }, gradientLeft), about: other.variant });
	found.push({ id: "clips", measure: (model) => [surprise(model), surprise(model)] });
	found.push({
		id: "farther",
		measure: (model) => {
			const effects = memory(model, 11, others(model));
			return [effects[1], effects[10]];
		},
	});
	return found;
}

function truthOf([before, after]) {
	if (Math.abs(after - before) <= ALIKE * Math.max(Math.abs(before), Math.abs(after))) return "same";
	return after > before ? "larger" : "smaller";
}

const figure = (number) => (Number.isInteger(number) ? String(number) : number.toPrecision(2));

/** The section with the questions, made anew in the reader's language; the answers stay. */
export class Quiz {
	/**
	 * @param facts of the page.
	 * @param model gives the model that has read the reader's text.
	 * @param set is called with changes that the reader wants to see in the page.
	 */
	constructor(facts, model, set) {
		Object.assign(this, { model, set, asked: questions(facts), answers: new Map() });
	}

	show(place, words) {
		const ready = this.model().tokens.length >= NEEDED;
		const answered = [...this.answers.values()];
		const right = answered.filter(({ chosen, values }) => chosen === truthOf(values)).length;
		const again = make("button", { type: "button", click: () => { this.answers.clear(); this.show(place, words); } }, words.again);
		place.replaceChildren(
			make("h2", {}, words.quiz),
			make("p", {}, ready ? words.quizAbout : words.quizShort(NEEDED)),
			make("ol", { class: "questions" }, ...this.asked.map((question) => this.#question(question, place, words, ready))),
			...(answered.length ? [make("p", { class: "score" }, words.score(right, answered.length), " ", again)] : []),
		);
	}

	#question(question, place, words, ready) {
		const text = words.questions[question.id];
		const answer = this.answers.get(question.id);
		const choose = (chosen) => () => {
			this.answers.set(question.id, { chosen, values: question.measure(this.model()) });
			this.show(place, words);
			place.querySelector(`[data-question="${question.id}"] [data-choice="${chosen}"]`).focus();
		};
		const buttons = Object.entries(words.choices).map(([choice, label]) =>
			make("button", { type: "button", "data-choice": choice, "aria-pressed": String(answer?.chosen === choice), disabled: !ready, click: choose(choice) }, label),
		);
		const asked = question.about ? text(question.about) : text;
		return make(
			"li",
			{ "data-question": question.id },
			make("p", {}, asked),
			make("div", { class: "buttons", role: "group", "aria-label": asked }, ...buttons),
			make("p", { class: "result", role: "status" }, ...(answer ? this.#result(question, answer, words) : [])),
		);
	}

	#result({ changes }, { chosen, values }, words) {
		const truth = truthOf(values);
		const said = words.result(chosen === truth, words.choices[truth], ...values.map(figure));
		if (!changes) return [said];
		return [said, " ", make("button", { type: "button", click: () => this.set(changes) }, words.tryIt)];
	}
}
