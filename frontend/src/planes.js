// Numbers from the text that a page carries; `insight/planes.py` writes it and says what it is.

export const NOT_A_NUMBER = 0xffff;
const LARGEST = 0xfffe;

/** The bytes of a text in base64. */
export function bytesOf(text) {
	if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
	const binary = atob(text);
	const bytes = new Uint8Array(binary.length);
	for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
	return bytes;
}

/** The bytes that zlib made smaller. */
export async function inflated(bytes) {
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One quantity of one layer: codes of 16 bits, unit by unit, and the range that they stand for. */
export class Plane {
	constructor(codes, units, steps, facts) {
		Object.assign(this, { codes, units, steps, low: facts.low, high: facts.high, name: facts.name, gate: facts.gate });
	}

	static async read(facts, steps) {
		const bytes = await inflated(bytesOf(document.getElementById(facts.place).textContent));
		const count = facts.units * steps;
		const codes = new Uint16Array(count);
		for (let unit = 0, at = 0; unit < facts.units; unit++) {
			let code = 0;
			for (let step = 0; step < steps; step++, at++) {
				code = (code + bytes[at] + (bytes[at + count] << 8)) & 0xffff;
				codes[at] = code;
			}
		}
		return new Plane(codes, facts.units, steps, facts);
	}

	/** The number at a unit and step; NaN where it was not finite. */
	at(unit, step) {
		const code = this.codes[unit * this.steps + step];
		return code === NOT_A_NUMBER ? Number.NaN : this.low + (code / LARGEST) * (this.high - this.low);
	}

	/** A unit's numbers over all steps. */
	course(unit) {
		return Float64Array.from({ length: this.steps }, (_, step) => this.at(unit, step));
	}

	/** The mean distance from zero over the units that are finite, at every step; NaN where none is. */
	activity() {
		const sums = new Float64Array(this.steps);
		const counts = new Uint32Array(this.steps);
		for (let unit = 0; unit < this.units; unit++) {
			for (let step = 0; step < this.steps; step++) {
				const value = this.at(unit, step);
				if (Number.isNaN(value)) continue;
				sums[step] += Math.abs(value);
				counts[step] += 1;
			}
		}
		return sums.map((sum, step) => sum / counts[step]);
	}

	/** The two ends of the colour table: 0 to 1 for a gate, else as far below zero as above it. */
	range() {
		if (this.gate) return [0, 1];
		const most = Math.max(Math.abs(this.low), Math.abs(this.high)) || 1;
		return [-most, most];
	}
}

/** A quantity that was just computed as a plane: `valueAt(step)` gives the numbers of all units at a step. */
export function planeOf(valueAt, steps, { name, gate }) {
	const columns = Array.from({ length: steps }, (_, step) => valueAt(step));
	const units = columns[0].length;
	let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
	for (const column of columns) {
		for (const value of column) {
			if (value < low && Number.isFinite(value)) low = value;
			if (value > high && Number.isFinite(value)) high = value;
		}
	}
	if (low > high) [low, high] = [0, 0]; // nothing is finite
	const scale = high > low ? LARGEST / (high - low) : 0;
	const codes = new Uint16Array(units * steps);
	columns.forEach((column, step) => {
		for (let unit = 0; unit < units; unit++) {
			const value = column[unit];
			codes[unit * steps + step] = Number.isFinite(value) ? Math.round((value - low) * scale) : NOT_A_NUMBER;
		}
	});
	return new Plane(codes, units, steps, { low, high, name, gate });
}
