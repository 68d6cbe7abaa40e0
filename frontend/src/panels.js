// A chart with its title, the names of its lines and their values at the cursor: by pointer and by keyboard.

import { Chart, DASHES, STROKES } from "./charts.js";
import { digits, make } from "./dom.js";
import { colours, view } from "./frame.js";
import { shown } from "./heatmap.js";

const FEW = 12;
const SVG = "http://www.w3.org/2000/svg";

/** A piece of a line, as the chart draws it. */
function sample(index) {
	const [picture, line] = ["svg", "line"].map((tag) => document.createElementNS(SVG, tag));
	const stroke = STROKES[view.dark ? "dark" : "light"][index % 4];
	const looks = { x1: 0, x2: 26, y1: 4, y2: 4, stroke, "stroke-width": 3, "stroke-dasharray": DASHES[index % 4].join(" ") || "none" };
	for (const [name, value] of Object.entries(looks)) line.setAttribute(name, value);
	for (const [name, value] of Object.entries({ width: 26, height: 8, "aria-hidden": "true" })) picture.setAttribute(name, value);
	picture.append(line);
	return picture;
}

export class Panel {
	/**
	 * @param title above the chart.
	 * @param hint what a screen reader says of it, after the title.
	 * @param xName what lies along the axis.
	 */
	constructor(title, hint, xName, height = 190) {
		this.place = make("div", { class: "chart", role: "img", tabindex: "0", "aria-label": `${title}. ${hint}`, keydown: (event) => this.pressed(event) });
		this.legend = make("div", { class: "lines", "aria-live": "polite" });
		this.note = make("p", { class: "remark" });
		this.element = make("figure", {}, make("figcaption", {}, title), this.place, this.legend, this.note);
		this.xName = xName;
		this.chart = new Chart(this.place, height, (from, to) => this.zoom(from, to), (at) => this.read(at));
	}

	/**
	 * Draw lines.
	 *
	 * @param xs what lies along the axis, rising.
	 * @param lines pairs of a name and its values; what is not finite is null.
	 * @param how `log`, `range`, `note`, which stands below the chart, and `names` of the places.
	 */
	show(xs, lines, how = {}) {
		Object.assign(this, { xs, lines, at: xs.length - 1, names: how.names });
		this.note.textContent = how.note ?? "";
		this.place.hidden = !lines.length;
		const points = lines.map(([, values]) => values.filter((value) => value !== null).length <= FEW);
		const courses = lines.map(([, values]) => values);
		this.chart.show(lines.map(([name]) => name), courses, colours(), { ...how, xs, xName: this.xName, dashes: true, points });
		this.read(null);
	}

	/** Write the values at a place of the axis beside the names of the lines; without one the last that there are. */
	read(at) {
		if (at !== null) this.at = at;
		const each = this.lines.map(([name, values], index) => {
			const value = at === null ? values.findLast((one) => one !== null) : values[at];
			return make("span", {}, sample(index), ` ${name} ${value === null || value === undefined ? "–" : digits(value)}`);
		});
		const where = at === null ? [] : [make("span", { class: "where" }, `${this.xName} ${this.xs[at]}${this.named(this.xs[at])}`)];
		this.legend.replaceChildren(...where, ...each);
	}

	/** What stands at a place of the axis, where that is not its number. */
	named(x) {
		const name = this.names?.[x];
		return name === undefined || name === String(x) ? "" : ` “${shown(name)}”`;
	}

	zoom(from, to) {
		if (!this.xs.length) return;
		this.chart.between(from ?? this.xs[0], to ?? this.xs.at(-1));
	}

	pressed(event) {
		const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
		if (event.key === "Escape") this.zoom(null, null);
		if (step === undefined || !this.xs.length) return;
		const at = Math.min(this.xs.length - 1, Math.max(0, this.at + step));
		this.chart.point(this.xs[at]);
		this.read(at);
		event.preventDefault();
	}
}
