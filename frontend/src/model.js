// A language model in the page: embedding, recurrent layers, head, with what the reader changed.

import { Run } from "./graph.js";

/** What a reader may change: the bias of the gate that keeps the state, the recurrent matrices, the equations. */
export const AS_TRAINED = { bias: 0, factor: 1, variant: "" };

/** The weights of a page, by name, from the bytes that `insight/live.py` packed. */
export function unpacked(bytes, arrays) {
	const count = bytes.length / 4;
	const mixed = new Uint8Array(bytes.length);
	for (let at = 0; at < count; at++) {
		for (let plane = 0; plane < 4; plane++) mixed[4 * at + plane] = bytes[plane * count + at];
	}
	const numbers = new Float32Array(mixed.buffer);
	const found = {};
	let at = 0;
	for (const [name, shape] of arrays) {
		const length = shape.reduce((all, size) => all * size, 1);
		found[name] = Float64Array.from(numbers.subarray(at, at + length));
		at += length;
	}
	return found;
}

export class Model {
	/**
	 * @param facts as `insight/live.py` writes them.
	 * @param weights Float64Array by name.
	 * @param changes of `AS_TRAINED`.
	 */
	constructor(facts, weights, changes = AS_TRAINED) {
		Object.assign(this, { facts, weights, tokens: [], predicted: [] });
		this.width = facts.arrays.find(([name]) => name === "embedding")[1][1];
		this.change(changes);
	}

	/** Take other changes, and read the text anew. */
	change(changes) {
		this.changes = changes;
		this.graph = this.facts.graphs.find((each) => each.variant === changes.variant);
		this.layers = this.facts.sizes.map((sizes, layer) => new Run(this.graph, sizes, this.#parameters(layer)));
		this.branches = this.layers.map((run) => run.branch());
		const { tokens } = this;
		this.tokens = [];
		this.read(tokens);
	}

	#parameters(layer) {
		const { keep, recurrent } = this.facts;
		const { bias, factor } = this.changes;
		const found = {};
		for (const [name, numbers] of Object.entries(this.weights)) {
			if (name.startsWith(`${layer}.`)) found[name.slice(`${layer}.`.length)] = numbers;
		}
		for (const [name, sign] of keep) found[name] = found[name].map((value) => value + sign * bias);
		for (const [name] of recurrent[layer]) found[name] = found[name].map((value) => value * factor);
		return found;
	}

	/** Another model with other changes, which has read the same text. */
	with(changes) {
		const other = new Model(this.facts, this.weights, { ...this.changes, ...changes });
		other.read(this.tokens);
		return other;
	}

	embedded(token) {
		return this.weights.embedding.subarray(token * this.width, (token + 1) * this.width);
	}

	/** Read a text, from the first token on that is another one than before. */
	read(tokens) {
		let same = 0;
		while (same < tokens.length && same < this.tokens.length && tokens[same] === this.tokens[same]) same++;
		this.tokens = [...tokens];
		this.predicted.length = Math.min(same, this.predicted.length);
		for (let t = same; t < tokens.length; t++) {
			const output = step(this.layers, t, this.embedded(tokens[t]));
			this.predicted.push(this.probabilities(output));
		}
	}

	/** The probabilities of the next token from an output. */
	probabilities(output) {
		const { head, bias } = this.weights;
		const scores = Float64Array.from(bias, (start, token) => {
			let score = start;
			for (let place = 0; place < output.length; place++) score += head[token * output.length + place] * output[place];
			return score;
		});
		return softmax(scores);
	}

	/** What the model expects at the end of a beginning of the text, if other tokens came after it. */
	after(beginning, tokens) {
		for (const [layer, branch] of this.branches.entries()) {
			branch.begin(beginning ? this.layers[layer].states(beginning - 1) : {});
		}
		let output = null;
		for (const [t, token] of tokens.entries()) output = step(this.branches, t, this.embedded(token));
		return this.probabilities(output);
	}
}

/** One step of all layers; the output of the last. */
function step(layers, t, input) {
	let x = input;
	for (const run of layers) {
		run.step(t, x);
		x = run.result("output", t);
	}
	return x;
}

export function softmax(scores) {
	const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
	const shares = scores.map((score) => Math.exp(score - most));
	const sum = shares.reduce((a, b) => a + b, 0);
	return shares.map((share) => share / sum);
}

/** A generator of numbers in [0, 1) from a seed: mulberry32 (Tommy Ettinger, public domain). */
export function random(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Draw a token: probabilities to the power of 1 / temperature, of those that may be drawn; the best one at 0. */
export function draw(probabilities, allowed, temperature, next) {
	const best = allowed.reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
	if (!temperature) return best;
	const shares = allowed.map((token) => (probabilities[token] / probabilities[best]) ** (1 / temperature));
	let left = next() * shares.reduce((a, b) => a + b, 0);
	for (const [place, share] of shares.entries()) {
		left -= share;
		if (left < 0) return allowed[place];
	}
	return best;
}
