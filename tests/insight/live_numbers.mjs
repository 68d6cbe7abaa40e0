// The numbers of the live page's modules, without a page: a job in JSON from stdin, the answer in JSON to stdout.

import { ELEMENTWISE, NUMBERS, OTHERS, Run } from "../../frontend/src/graph.js";
import { gradientFlow, horizon, memory, predictedSlope, slope } from "../../frontend/src/measures.js";
import { Model, unpacked } from "../../frontend/src/model.js";
import { gradientLeft } from "../../frontend/src/quiz.js";
import { Tokens } from "../../frontend/src/tokens.js";

/** A cell over a sequence, from states, and back from weights on each output and on the final states. */
function cell({ graph, sizes, parameters, inputs, states, outputWeights, stateWeights }) {
	const run = new Run(graph, sizes, parameters);
	run.begin(states);
	inputs.forEach((x, t) => run.step(t, x));
	const quantities = Object.fromEntries(graph.quantities.map(({ name, at }) => [name, inputs.map((_, t) => [...run.value(at, t)])]));
	const outputs = inputs.map((_, t) => [...run.result("output", t)]);
	const inputGradients = [];
	let handed = stateWeights;
	for (let t = inputs.length - 1; t >= 0; t--) {
		const seeds = Object.fromEntries(Object.entries(handed).map(([name, one]) => [`state.${name}`, one]));
		const found = run.back(t, { ...seeds, output: outputWeights[t] });
		inputGradients.unshift([...(found.input ?? [])]);
		handed = Object.fromEntries(Object.entries(found.states).map(([name, one]) => [name, [...one]]));
	}
	return { quantities, outputs, inputGradients, stateGradients: handed };
}

/** A page's model on texts, with changes. */
async function page({ facts, packed, texts, changes, clip }) {
	const stream = new Blob([Buffer.from(packed, "base64")]).stream().pipeThrough(new DecompressionStream("deflate"));
	const weights = unpacked(new Uint8Array(await new Response(stream).arrayBuffer()), facts.arrays);
	const tokens = new Tokens(facts.vocabulary, facts.labels);
	const model = new Model(facts, weights, changes);
	return texts.map((text) => {
		const ids = tokens.encode(text);
		model.read(ids); // each text goes on from what it shares with the one before
		const flows = ids.length > 1 ? gradientFlow(model, clip ?? Number.POSITIVE_INFINITY) : [];
		const effects = memory(model, 12, facts.drawn.slice(0, 3));
		return {
			ids,
			text: tokens.decode(ids),
			probabilities: model.predicted.map((each) => [...each]),
			quantities: model.layers.map((run) =>
				Object.fromEntries(model.graph.quantities.map(({ name, at }) => [name, ids.map((_, t) => [...run.value(at, t)])])),
			),
			flows,
			slopes: flows.map((norms) => Object.fromEntries(Object.entries(norms).map(([name, one]) => [name, slope(one)]))),
			predicted: ids.length > 1 ? model.layers.map((run) => predictedSlope(run, ids.length - 1)) : [],
			effects,
			left: ids.length > 30 ? gradientLeft(model) : null,
			horizon: horizon(effects),
		};
	});
}

const job = JSON.parse(await new Response(process.stdin).text());
const answer = {
	ops: [ELEMENTWISE, OTHERS, NUMBERS].map(Object.keys),
	derivatives: Object.fromEntries(Object.entries(ELEMENTWISE).map(([name, [, ...partials]]) => [name, partials.length])),
	cells: (job.cells ?? []).map(cell),
	pages: await Promise.all((job.pages ?? []).map(page)),
};
process.stdout.write(JSON.stringify(answer));
