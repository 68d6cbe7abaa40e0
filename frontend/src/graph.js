// The equations of a cell, run step by step as the library runs them, and back again by reverse-mode differentiation.
//
// `insight/live.py` writes a graph: its nodes in the order of computation, each with its op, the positions of its
// operands and the names of its sizes, and the results by key ("output", "state.h"). The names of the ops, their values
// and their derivatives are those of `equations/ops.py` and `passes/derivatives.py`; a test compares the tables and the
// numbers. `matmul_t` and three kinds of leaves are made by the library's passes and stand in no cell's own graph.

const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/** The share of the cotangent that reaches `low` of y = minimum(low, high), and `high` of y = maximum(low, high). */
function smaller(y, low, high) {
	if (low > high) return 0;
	if (high > low) return 1;
	return Number.isNaN(y) ? 1 : 0.5;
}

/** Each elementwise op: its value, and for each operand dy/da from y and the operands; null where nothing flows. */
export const ELEMENTWISE = {
	add: [(a, b) => a + b, () => 1, () => 1],
	sub: [(a, b) => a - b, () => 1, () => -1],
	mul: [(a, b) => a * b, (_, __, b) => b, (_, a) => a],
	div: [(a, b) => a / b, (_, __, b) => 1 / b, (y, _, b) => -y / b],
	neg: [(a) => -a, () => -1],
	sigmoid: [sigmoid, (y) => y * (1 - y)],
	tanh: [Math.tanh, (y) => 1 - y * y],
	relu: [(a) => Math.max(a, 0), (y) => (y === 0 ? 0 : 1)],
	exp: [Math.exp, (y) => y],
	log: [Math.log, (_, a) => 1 / a],
	softplus: [(a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))), (_, a) => sigmoid(a)],
	sqrt: [Math.sqrt, (y) => 0.5 / y],
	abs: [Math.abs, (_, a) => (a > 0) - (a < 0)],
	minimum: [Math.min, (y, a, b) => smaller(y, a, b), (y, a, b) => smaller(y, b, a)],
	maximum: [Math.max, (y, a, b) => smaller(y, b, a), (y, a, b) => smaller(y, a, b)],
	greater: [(a, b) => Number(a > b), null, null],
	where: [(c, a, b) => (c !== 0 ? a : b), null, (_, c) => Number(c !== 0), (_, c) => Number(c === 0)],
};

// The two loops in which the time goes. Four sums at once: one alone waits for its own last addition.

function times(out, at, rows, matrix, vector, from, width) {
	const end = from + width;
	for (let row = 0, place = 0; row < rows; row++) {
		let column = from;
		let a = 0;
		let b = 0;
		let c = 0;
		let d = 0;
		for (; column + 3 < end; column += 4, place += 4) {
			a += matrix[place] * vector[column];
			b += matrix[place + 1] * vector[column + 1];
			c += matrix[place + 2] * vector[column + 2];
			d += matrix[place + 3] * vector[column + 3];
		}
		for (; column < end; column++, place++) a += matrix[place] * vector[column];
		out[at + row] = a + b + (c + d);
	}
}

function timesTransposed(to, matrix, d) {
	const width = to.length;
	for (let row = 0; row < d.length; row++) {
		const share = d[row];
		if (share === 0) continue;
		const begin = row * width;
		for (let column = 0; column < width; column++) to[column] += matrix[begin + column] * share;
	}
}

/** The other ops: forward fills `out`, back adds to the cotangents of the operands; each operand is numbers and where they begin. */
export const OTHERS = {
	matmul: {
		forward: (out, at, length, [matrix, vector]) => times(out, at, length, matrix.numbers, vector.numbers, vector.at, vector.length),
		back(d, [matrix], [, toVector]) {
			if (toVector) timesTransposed(toVector, matrix.numbers, d); // a matrix of parameters alone has none
		},
	},
	sum: {
		forward(out, at, _, [a]) {
			out[at] = 0;
			for (let place = 0; place < a.length; place++) out[at] += a.numbers[a.at + place];
		},
		back(d, [a], [toA]) {
			for (let place = 0; place < a.length; place++) toA[place] += d[0];
		},
	},
	expand: {
		forward: (out, at, length, [a]) => out.fill(a.numbers[a.at], at, at + length),
		back(d, _, [toA]) {
			for (const each of d) toA[0] += each;
		},
	},
	sized: {
		forward(out, at, length, [a]) {
			for (let place = 0; place < length; place++) out[at + place] = a.numbers[a.at + place];
		},
		back(d, _, [toA]) {
			for (let place = 0; place < d.length; place++) toA[place] += d[place];
		},
	},
};

/** Leaves that are one number, everywhere and at every step; a draw is its mean, as in evaluation. */
export const NUMBERS = {
	constant: (node) => node.value ?? 0,
	size: (node, sizes) => sizes[node.name],
	random: (node) => node.random[0] * node.random[1],
};

const ROOM = 64; // steps that a run has room for at first

/** A cell's graph with the sizes of one layer, and its parameters: what runs a sequence step by step. */
export class Run {
	/**
	 * @param graph as `insight/live.py` writes it.
	 * @param sizes by name, such as { input: 32, hidden: 96 }.
	 * @param parameters Float64Array by name, row by row.
	 */
	constructor(graph, sizes, parameters) {
		Object.assign(this, { graph, sizes, parameters, steps: 0 });
		this.nodes = graph.nodes.map((node, index) => ({
			...node,
			args: node.args ?? [],
			length: graph.dims[index].reduce((all, name) => all * sizes[name], 1),
		}));
		this.numbers = this.nodes.map((node) => {
			if (node.op === "parameter") return parameters[node.name];
			return node.op in NUMBERS ? new Float64Array(node.length).fill(NUMBERS[node.op](node, sizes)) : null;
		});
		this.fixed = this.numbers.map((numbers) => numbers !== null);
		this.active = []; // what a gradient goes through: all that depends on the input or a state
		for (const node of this.nodes) this.active.push(node.op === "input" || node.op === "state" || node.args.some((arg) => this.active[arg]));
		this.cotangents = this.nodes.map((node, index) => (this.active[index] ? new Float64Array(node.length) : null));
		this.operands = this.nodes.map(() => []);
		this.start = {};
	}

	/** Begin a sequence from states by name; zeros for those that are not there. */
	begin(states = {}) {
		this.start = states;
	}

	/** Another run of the same cell, for a sequence of its own. */
	branch() {
		return new Run(this.graph, this.sizes, this.parameters);
	}

	/** The states after a step, by name. */
	states(t) {
		const names = Object.keys(this.graph.results).filter((key) => key.startsWith("state."));
		return Object.fromEntries(names.map((key) => [key.slice("state.".length), this.result(key, t)]));
	}

	#reserve(steps) {
		if (steps <= this.steps) return;
		this.steps = Math.max(steps, 2 * this.steps, ROOM);
		this.nodes.forEach((node, index) => {
			if (this.fixed[index]) return;
			const wider = new Float64Array(this.steps * node.length);
			if (this.numbers[index]) wider.set(this.numbers[index]);
			this.numbers[index] = wider;
		});
		this.operands = this.nodes.map((node) => node.args.map((arg) => ({ numbers: this.numbers[arg], at: 0, length: this.nodes[arg].length })));
	}

	/** Where the numbers of a node begin at a step. */
	#at(index, t) {
		return this.fixed[index] ? 0 : t * this.nodes[index].length;
	}

	#place(index, t) {
		const { args } = this.nodes[index];
		const operands = this.operands[index];
		for (let place = 0; place < args.length; place++) operands[place].at = this.#at(args[place], t);
		return operands;
	}

	/** Compute step t from the input there and the step before; steps are computed in order, and may be computed anew. */
	step(t, x) {
		this.#reserve(t + 1);
		for (let index = 0; index < this.nodes.length; index++) {
			if (this.fixed[index]) continue;
			const node = this.nodes[index];
			const [out, at] = [this.numbers[index], this.#at(index, t)];
			if (node.op === "input") out.set(x, at);
			else if (node.op === "state") out.set(this.#before(node, t), at);
			else if (node.op in OTHERS) OTHERS[node.op].forward(out, at, node.length, this.#place(index, t));
			else elementwise(ELEMENTWISE[node.op][0], out, at, node.length, this.#place(index, t));
		}
	}

	#before(node, t) {
		if (t > 0) return this.value(this.graph.results[`state.${node.name}`], t - 1);
		return this.start[node.name] ?? new Float64Array(node.length);
	}

	/** The numbers of a node at a step. */
	value(index, t) {
		const at = this.#at(index, t);
		return this.numbers[index].subarray(at, at + this.nodes[index].length);
	}

	/** The numbers of a result such as "output" or "state.h" at a step. */
	result(key, t) {
		return this.value(this.graph.results[key], t);
	}

	/**
	 * Differentiate step t: from the cotangents of its results, by key, to those of its input and of the states before.
	 *
	 * @return { input, states by name, results by key }: what `results` has is dL/d(state after the step), all its
	 *   paths within the step included. The arrays are used again by the next call.
	 */
	back(t, seeds) {
		for (const cotangent of this.cotangents) cotangent?.fill(0);
		for (const [key, seed] of Object.entries(seeds)) {
			const cotangent = this.cotangents[this.graph.results[key]];
			for (let place = 0; cotangent && place < seed.length; place++) cotangent[place] += seed[place];
		}
		for (let index = this.nodes.length - 1; index >= 0; index--) {
			const node = this.nodes[index];
			if (!this.active[index] || !node.args.length) continue;
			const operands = this.#place(index, t);
			const to = node.args.map((arg) => this.cotangents[arg]);
			if (node.op in OTHERS) OTHERS[node.op].back(this.cotangents[index], operands, to);
			else elementwiseBack(ELEMENTWISE[node.op], this.cotangents[index], this.value(index, t), operands, to);
		}
		return this.#found();
	}

	#found() {
		const found = { input: null, states: {}, results: {} };
		this.nodes.forEach((node, index) => {
			if (node.op === "input") found.input = this.cotangents[index];
			if (node.op === "state") found.states[node.name] = this.cotangents[index];
		});
		for (const [key, index] of Object.entries(this.graph.results)) found.results[key] = this.cotangents[index];
		return found;
	}
}

// A scalar meets every entry of a vector: its place does not move.
const stride = (operand) => Number(operand.length > 1);

function elementwise(value, out, at, length, [a, b, c]) {
	const [overA, overB, overC] = [stride(a), b ? stride(b) : 0, c ? stride(c) : 0];
	for (let place = 0; place < length; place++) {
		const first = a.numbers[a.at + place * overA];
		if (!b) out[at + place] = value(first);
		else if (!c) out[at + place] = value(first, b.numbers[b.at + place * overB]);
		else out[at + place] = value(first, b.numbers[b.at + place * overB], c.numbers[c.at + place * overC]);
	}
}

function elementwiseBack([, ...partials], d, y, operands, to) {
	const [a, b, c] = operands;
	const over = operands.map(stride);
	partials.forEach((partial, operand) => {
		const target = to[operand];
		if (!partial || !target) return;
		for (let place = 0; place < d.length; place++) {
			if (d[place] === 0) continue;
			const first = a.numbers[a.at + place * over[0]];
			const second = b ? b.numbers[b.at + place * over[1]] : 0;
			const share = partial(y[place], first, second, c ? c.numbers[c.at + place * over[2]] : 0);
			if (share !== 0) target[place * over[operand]] += d[place] * share;
		}
	});
}
