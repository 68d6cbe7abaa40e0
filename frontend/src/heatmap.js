// The heat map: a picture of units by steps, drawn once for each quantity and stretched to what is in view.

import { NOT_A_NUMBER } from "./planes.js";

const AXIS = 40; // pixels below the picture, for tokens and predictions
const ROW = 18;
const GAP = 3; // pixels between two labels

export class HeatMap {
	/**
	 * @param canvas where it is drawn.
	 * @param view what is in view: from and to in steps, the cursor and the picked units; read at every drawing.
	 * @param steps the labels of the steps.
	 * @param predictions for each step the most probable label and its probability, or nothing.
	 */
	constructor(canvas, view, steps, predictions) {
		Object.assign(this, { canvas, view, steps, predictions, picture: document.createElement("canvas") });
		this.units = [];
	}

	/** Paint a plane's units in an order. */
	paint(plane, units, table) {
		Object.assign(this, { plane, units });
		const { codes, steps } = plane;
		const [low, high] = plane.range();
		// The colour of each of the 65,536 codes, so that a pixel costs one look-up.
		const span = (plane.high - plane.low) / 0xfffe;
		const colours = new Uint32Array(65536);
		for (let code = 0; code < NOT_A_NUMBER; code++) {
			const place = (plane.low + code * span - low) / (high - low);
			colours[code] = table[Math.round(255 * Math.min(1, Math.max(0, place)))];
		}
		colours[NOT_A_NUMBER] = table[256];
		this.picture.width = steps;
		this.picture.height = units.length;
		const image = new ImageData(steps, units.length);
		const pixels = new Uint32Array(image.data.buffer);
		units.forEach((unit, row) => {
			for (let step = 0; step < steps; step++) pixels[row * steps + step] = colours[codes[unit * steps + step]];
		});
		this.picture.getContext("2d").putImageData(image, 0, 0);
	}

	get size() {
		const { width, height } = this.canvas.getBoundingClientRect();
		return { width, height: height - AXIS };
	}

	/** The step and the row under a place on the canvas; null beside the picture. */
	under(x, y) {
		const { width, height } = this.size;
		const { from, to } = this.view;
		const row = Math.floor((y / height) * this.units.length);
		const step = Math.floor(from + (x / width) * (to - from));
		const inside = x >= 0 && x < width && y >= 0 && row < this.units.length && step >= 0 && step < this.steps.length;
		return inside ? { step, row } : null;
	}

	draw(colours) {
		if (!this.plane) return;
		const ratio = window.devicePixelRatio || 1;
		const { width, height } = this.size;
		this.canvas.width = Math.round(width * ratio);
		this.canvas.height = Math.round((height + AXIS) * ratio);
		const context = this.canvas.getContext("2d");
		context.scale(ratio, ratio);
		const { from, to } = this.view;
		context.imageSmoothingEnabled = to - from > width * ratio; // many steps a pixel: their mean
		context.drawImage(this.picture, from, 0, to - from, this.units.length, 0, 0, width, height);
		this.#cursor(context, colours);
		this.#axis(context, colours);
	}

	#cursor(context, colours) {
		const { width, height } = this.size;
		const { from, to, cursor, picked } = this.view;
		const rowHeight = height / this.units.length;
		this.#marks(context, colours, rowHeight);
		context.strokeStyle = colours.line;
		for (const unit of picked) {
			const row = this.units.indexOf(unit);
			context.strokeRect(0.5, row * rowHeight, width - 1, Math.max(rowHeight, 2));
		}
		if (!cursor) return;
		const stepWidth = width / (to - from);
		context.strokeRect((cursor.step - from) * stepWidth, 0, Math.max(stepWidth, 1), height);
		context.strokeRect(0, cursor.row * rowHeight, width, Math.max(rowHeight, 1));
	}

	/** The units of a pattern, at both edges, and the interval that it was taken from. */
	#marks(context, colours, rowHeight) {
		const { width, height } = this.size;
		const { from, to, layer, quantity, marked } = this.view;
		if (!marked || layer !== marked.layer || quantity !== marked.quantity) return; // a page may have no patterns
		context.fillStyle = colours.accent;
		for (const unit of marked.units) {
			const y = (this.units.indexOf(unit) + 0.5) * rowHeight;
			for (const [x, way] of [[0, 1], [width, -1]]) {
				context.beginPath();
				context.moveTo(x, y - 5);
				context.lineTo(x + 8 * way, y);
				context.lineTo(x, y + 5);
				context.fill();
			}
		}
		if (!marked.interval) return;
		const [left, right] = marked.interval.map((step) => ((step - from) / (to - from)) * width);
		context.setLineDash([4, 3]);
		context.strokeStyle = colours.accent;
		context.strokeRect(left, 0.5, right - left, height - 1);
		context.setLineDash([]);
	}

	#axis(context, colours) {
		const { from, to, cursor } = this.view;
		context.font = "12px ui-monospace, monospace";
		context.textAlign = "center";
		context.textBaseline = "middle";
		const rows = [(step) => [shown(this.steps[step]), 1]];
		if (this.predictions.some((step) => step.length)) rows.push((step) => [shown(this.predictions[step]?.[0]?.[0] ?? ""), this.predictions[step]?.[0]?.[1]]);
		const [first, last] = [Math.floor(from), Math.min(Math.ceil(to), this.steps.length)];
		const ends = [first, Math.min(last, first + 400)];
		let every = this.#every(context, rows[0], ends);
		if (every > 1 && this.steps.slice(...ends).some((label) => !PLACE.test(label))) {
			// Some of the tokens read like a text of their own: the steps' numbers say that others stand between them.
			rows[0] = (step) => [`${step} ${shown(this.steps[step])}`, 1];
			every = this.#every(context, rows[0], [Math.max(first, last - 400), last]);
		}
		rows.forEach((label, row) => {
			const taken = [];
			if (row) every = Math.max(every, this.#every(context, label, ends)); // what is predicted stands below its step
			if (cursor && cursor.step >= from && cursor.step < to) this.#label(context, cursor.step, label, row, colours.accent, taken);
			for (let step = Math.ceil(first / every) * every; step < last; step += every) {
				if (step >= from && step !== cursor?.step) this.#label(context, step, label, row, colours.text, taken);
			}
		});
	}

	/** How many steps a label needs, as a round number: 1 where all of them fit. */
	#every(context, label, [first, last]) {
		const stepWidth = this.size.width / (this.view.to - this.view.from);
		let widest = 8;
		for (let step = first; step < last; step++) widest = Math.max(widest, context.measureText(label(step)[0]).width);
		const least = (widest + GAP) / stepWidth;
		return [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((each) => each >= least) ?? 10000;
	}

	/** Write a label below the picture, where it touches none of those that are there. */
	#label(context, step, label, row, colour, taken) {
		const { width, height } = this.size;
		const [text, probability] = label(step);
		const half = context.measureText(text).width / 2;
		const middle = ((step - this.view.from + 0.5) / (this.view.to - this.view.from)) * width;
		const x = Math.min(Math.max(middle, half), width - half);
		if (taken.some(([left, right]) => x + half > left && x - half < right)) return;
		taken.push([x - half - GAP, x + half + GAP]);
		context.fillStyle = colour;
		context.globalAlpha = 0.45 + 0.55 * (probability ?? 1);
		context.fillText(text, x, height + ROW * (row + 0.5) + 2);
		context.globalAlpha = 1;
	}
}

const SIGNS = { "\n": "⏎", "\t": "⇥" };

/** The sign of a character that is not seen: controls, marks of direction, halves of characters. */
function sign(character) {
	const code = character.codePointAt(0);
	if (code < 32) return SIGNS[character] ?? String.fromCodePoint(0x2400 + code);
	return character.trim() ? "�" : "␣";
}

const TIME = /^\d{4}-\d\d-\d\d [\d:.+-]{1,24}$/;
const PLACE = /^-?[\d.]+$|^\d{4}-\d\d-\d\d/; // a label that says where its step is: a number or a time

/** A token as it can be read: blanks, line breaks and controls have signs; a long one is cut, unless it is a time. */
export function shown(label, longest = 12) {
	if (TIME.test(label)) return label;
	const characters = Array.from(label.slice(0, 4 * longest));
	const text = characters.length > longest ? `${characters.slice(0, longest - 1).join("")}…` : characters.join("");
	// The two joiners, of emoji and of letters, are not seen either, but they have to stay.
	return text.replace(/(?![\u200c\u200d])[\s\p{Cc}\p{Cf}\p{Cs}]/gu, sign);
}
