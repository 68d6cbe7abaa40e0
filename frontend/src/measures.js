// What a reader measures: how far a gradient flows back, and how far back the model looks.

const FLOOR = 1e-300;
const JACOBIANS = 8; // steps at which linear theory is asked, evenly spread
const TURNS = 80; // of the power iteration at each of them
const COUNTED = 50; // the last of those, whose growth is taken

const norm = (numbers) => Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));
export const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** dL/d(output) at the last step but one, for L = -log p(last token | those before). */
function fromTheHead(model) {
	const { head } = model.weights;
	const before = model.tokens.length - 2;
	const width = model.layers.at(-1).result("output", before).length;
	const found = new Float64Array(width);
	model.predicted[before].forEach((probability, token) => {
		const share = probability - Number(token === model.tokens.at(-1));
		for (let place = 0; place < width; place++) found[place] += share * head[token * width + place];
	});
	return found;
}

/** Scale the gradients of all states together to a norm of at most `most`. */
function clipped(states, most) {
	const all = Math.sqrt(Object.values(states).reduce((sum, one) => sum + norm(one) ** 2, 0));
	const scale = all > most ? most / all : 1;
	return Object.fromEntries(Object.entries(states).map(([name, one]) => [`state.${name}`, one.map((value) => value * scale)]));
}

/**
 * The gradient of the surprise at the last token, on its way back.
 *
 * @param model that has read at least two tokens.
 * @param clip the largest norm that a step hands to the one before it.
 * @return for each layer ||dL/ds|| of each state by steps back, 0 being the last step that predicts: { h: [..], c: [..] }.
 */
export function gradientFlow(model, clip = Number.POSITIVE_INFINITY) {
	const steps = model.tokens.length - 1;
	let outputs = Array.from({ length: steps }, () => null);
	outputs[steps - 1] = fromTheHead(model);
	const flows = [];
	for (const run of [...model.layers].reverse()) {
		const [norms, inputs] = [{}, outputs.map(() => null)];
		let handed = {};
		for (let t = steps - 1; t >= 0; t--) {
			const found = run.back(t, outputs[t] ? { ...handed, output: outputs[t] } : handed);
			for (const [key, gradient] of Object.entries(found.results)) {
				if (key === "output") continue;
				norms[key.slice("state.".length)] ??= [];
				norms[key.slice("state.".length)].push(gradient ? norm(gradient) : 0);
			}
			handed = clipped(found.states, clip);
			inputs[t] = found.input && Float64Array.from(found.input);
		}
		flows.unshift(norms);
		outputs = inputs;
	}
	return flows;
}

/** The growth of log norm for one step back, fitted over the steps that a gradient reaches; NaN where none does. */
export function slope(norms) {
	const points = [...norms.entries()].filter(([, value]) => value > FLOOR && Number.isFinite(value));
	if (points.length < 2) return Number.NaN;
	const [middle, height] = [mean(points.map(([step]) => step)), mean(points.map(([, value]) => Math.log(value)))];
	const both = points.reduce((sum, [step, value]) => sum + (step - middle) * (Math.log(value) - height), 0);
	return both / points.reduce((sum, [step]) => sum + (step - middle) ** 2, 0);
}

/**
 * The log of the spectral radius of the step's Jacobian at some steps; linear theory predicts their mean as the slope.
 *
 * By power iteration with the Jacobian's transpose, which is one step of backpropagation.
 */
export function* logRadii(run, steps) {
	const count = Math.min(JACOBIANS, steps);
	const chosen = Array.from({ length: count }, (_, place) => Math.round((place * (steps - 1)) / Math.max(1, count - 1)));
	let seeds = Object.fromEntries(
		Object.entries(run.states(0)).map(([name, state]) => [`state.${name}`, state.map((_, place) => Math.cos(1.7 * place + name.length))]),
	);
	for (const t of new Set(chosen)) {
		const found = logRadius(run, t, seeds);
		seeds = found.seeds; // the next step's direction is not far
		yield found.growth;
	}
}

/** The slope that linear theory predicts for a layer. */
export const predictedSlope = (run, steps) => mean([...logRadii(run, steps)]);

function logRadius(run, t, from) {
	let [seeds, growth] = [from, 0];
	for (let turn = 0; turn < TURNS; turn++) {
		const { states } = run.back(t, seeds);
		const all = Math.sqrt(Object.values(states).reduce((sum, one) => sum + norm(one) ** 2, 0));
		if (!(all > FLOOR)) return { seeds: from, growth: Number.NEGATIVE_INFINITY };
		if (turn >= TURNS - COUNTED) growth += Math.log(all);
		seeds = Object.fromEntries(Object.entries(states).map(([name, one]) => [`state.${name}`, one.map((value) => value / all)]));
	}
	return { seeds, growth: growth / COUNTED };
}

/**
 * The effect of another token k steps back on the prediction at the end, for k = 0, 1, ...
 *
 * @param others the tokens that take its place, one after the other.
 * @return the mean share of probability that moves (total variation), by k.
 */
export function* effects(model, most, others) {
	const { tokens } = model;
	const now = model.predicted.at(-1);
	for (let at = tokens.length - 1; at >= Math.max(0, tokens.length - most); at--) {
		const changed = others.filter((other) => other !== tokens[at]);
		yield mean(changed.map((other) => variation(now, model.after(at, [other, ...tokens.slice(at + 1)]))));
	}
}

export const memory = (model, most, others) => [...effects(model, most, others)];

function variation(a, b) {
	return 0.5 * a.reduce((sum, value, place) => sum + Math.abs(value - b[place]), 0);
}

/** The farthest step back whose effect is above a tenth of the largest one. */
export function horizon(effects) {
	const most = Math.max(...effects);
	return Math.max(0, effects.findLastIndex((effect) => effect > 0.1 * most));
}
