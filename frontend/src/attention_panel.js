// Attention: what was written, row by row, over what was read; the step at the cursor is marked.

import { colourTable, gradient } from "./colours.js";
import { digits, make } from "./dom.js";
import { shown } from "./heatmap.js";
import { Plane } from "./planes.js";

const ROW = 24; // pixels of a row, where there is room
const MOST = 420; // pixels of all rows
const AXIS = 24; // below, for what was read
const FONT = "12px ui-monospace, monospace";
const NAMED = 5; // steps that are named in words
const LEAST = 0.0005; // of what is named: less is 0.0%

const percent = (share) => `${(100 * share).toFixed(1)}%`;
const NOTHING = { elements: [], read: () => {}, draw: () => {} };

/**
 * The panel of the part of a model that has attention; an empty one where none has.
 *
 * @param parts of the model.
 * @param current the part in view: that which writes, or that which reads.
 * @param view its cursor says which step is marked.
 * @param point is called with a step of the part in view that was pointed at.
 */
export function attentionPanel(parts, current, view, point) {
	const writer = parts.find((each) => each.attention);
	return writer ? new AttentionPanel(writer, writer === current, view, point) : NOTHING;
}

class AttentionPanel {
	constructor(writer, writes, view, point) {
		Object.assign(this, { writer, writes, view, point, source: writer.attention.source, target: writer.steps });
		this.at = { row: 0, column: 0 };
		this.pointed = false; // whether the reader has pointed at a pair
		this.canvas = make("canvas", { tabindex: "0", role: "img", class: "attention" });
		this.canvas.style.height = `${Math.min(MOST, ROW * this.target.length) + AXIS}px`;
		this.title = make("h2");
		this.legend = make("div", { class: "legend" });
		this.said = make("p", { class: "attended", "aria-live": "polite" });
		this.elements = [this.title, this.legend, this.canvas, this.said];
		this.#listen();
	}

	/** Write the panel's words, and read its numbers; `draw` is called when they are there. */
	async read(words, draw) {
		this.words = words;
		this.title.textContent = words.attention;
		this.canvas.setAttribute("aria-label", words.attentionMap);
		this.plane = await Plane.read(this.writer.attention.plane, this.target.length);
		draw();
	}

	draw(colours) {
		if (!this.plane || !this.source.length) return;
		this.#follow();
		const ratio = window.devicePixelRatio || 1;
		const context = this.canvas.getContext("2d");
		const { width, height } = this.canvas.getBoundingClientRect();
		[this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
		context.scale(ratio, ratio);
		context.font = FONT;
		context.textBaseline = "middle";
		const widest = Math.max(...this.target.slice(0, 400).map((label) => context.measureText(shown(label)).width));
		this.box = { left: Math.min(widest + 10, width / 3), width, height: height - AXIS };
		this.#cells(context, colours);
		this.#labels(context, colours);
		this.#say();
	}

	/** Take the row or the column of the cursor of the part in view. */
	#follow() {
		const step = this.view.cursor?.step;
		if (step === undefined) return;
		if (this.writes) this.at.row = Math.min(step, this.target.length - 1);
		else if (step < this.source.length) this.at.column = step;
	}

	get #size() {
		const { left, width, height } = this.box;
		return [(width - left) / this.source.length, height / this.target.length];
	}

	#cells(context, colours) {
		const table = colourTable(true, colours.name === "dark");
		const [wide, high] = this.#size;
		const most = this.plane.high || 1;
		for (let row = 0; row < this.target.length; row++) {
			for (let column = 0; column < this.source.length; column++) {
				const colour = table[Math.round(255 * Math.min(1, Math.max(0, this.plane.at(column, row) / most)))];
				context.fillStyle = `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
				context.fillRect(this.box.left + column * wide, row * high, Math.ceil(wide), Math.ceil(high));
			}
		}
		context.strokeStyle = colours.line;
		context.lineWidth = 2;
		if (this.writes) context.strokeRect(this.box.left, this.at.row * high, this.source.length * wide, high);
		else context.strokeRect(this.box.left + this.at.column * wide, 0, wide, this.box.height);
		const bar = make("span", { class: "bar" });
		bar.style.background = gradient(table);
		this.legend.replaceChildren(digits(0), bar, digits(most));
	}

	#labels(context, colours) {
		const [wide, high] = this.#size;
		const write = (label, x, y, marked) => {
			context.fillStyle = marked ? colours.accent : colours.text;
			context.fillText(shown(label), x, y);
		};
		context.textAlign = "right";
		const rows = Math.ceil(14 / high);
		this.target.forEach((label, row) => {
			const marked = row === this.at.row;
			if (marked || (row % rows === 0 && Math.abs(row - this.at.row) >= rows)) write(label, this.box.left - 5, (row + 0.5) * high, marked);
		});
		context.textAlign = "center";
		const widest = Math.max(...this.source.slice(0, 400).map((label) => context.measureText(shown(label)).width));
		const columns = Math.ceil((widest + 4) / wide);
		this.source.forEach((label, column) => {
			const marked = column === this.at.column && (this.pointed || !this.writes);
			if (!marked && (column % columns || (this.pointed && Math.abs(column - this.at.column) < columns))) return;
			const half = context.measureText(shown(label)).width / 2;
			const x = this.box.left + (column + 0.5) * wide;
			write(label, Math.min(x, this.box.width - half), this.box.height + AXIS / 2, marked);
		});
	}

	/** Say in words where the step at the cursor looked, or who looked at it. */
	#say() {
		const { row, column } = this.at;
		const shares = this.writes
			? this.source.map((label, at) => [label, this.plane.at(at, row)])
			: this.target.map((label, at) => [label, this.plane.at(column, at)]);
		shares.sort((a, b) => b[1] - a[1]);
		const list = shares.slice(0, NAMED).filter(([, share]) => share >= LEAST).map(([label, share]) => `${shown(label)} ${percent(share)}`);
		const pair = this.words.weight(shown(this.target[row]), shown(this.source[column]), percent(this.plane.at(column, row)));
		const step = shown(this.writes ? this.target[row] : this.source[column]);
		const said = this.words[this.writes ? "looks" : "seenBy"](step, list.join(", "));
		this.said.textContent = this.pointed ? `${said} · ${pair}` : said;
	}

	#move(row, column) {
		this.pointed = true;
		this.at = {
			row: Math.min(this.target.length - 1, Math.max(0, row)),
			column: Math.min(this.source.length - 1, Math.max(0, column)),
		};
		this.point(this.writes ? this.at.row : this.at.column);
	}

	#listen() {
		this.canvas.addEventListener("pointermove", (event) => {
			if (!this.box) return;
			const { left, top } = this.canvas.getBoundingClientRect();
			const [wide, high] = this.#size;
			const [x, y] = [event.clientX - left - this.box.left, event.clientY - top];
			if (x >= 0 && y < this.box.height) this.#move(Math.floor(y / high), Math.floor(x / wide));
		});
		const keys = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
		this.canvas.addEventListener("keydown", (event) => {
			if (!(event.key in keys)) return;
			const [row, column] = keys[event.key];
			this.#move(this.at.row + row, this.at.column + column);
			event.preventDefault();
		});
	}
}
