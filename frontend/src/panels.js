// A chart with its title, the names of its lines and their values at the cursor: by pointer and by keyboard.

import { Chart, STROKES } from "./charts.js";
import { digits, make } from "./dom.js";
import { colours, view } from "./frame.js";

const STYLES = ["solid", "dashed", "dotted", "double"];
const FEW = 30;

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
	 * @param how `log`, `range` and `note`, which stands below the chart.
	 */
	show(xs, lines, how = {}) {
		Object.assign(this, { xs, lines, at: xs.length - 1 });
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
		const strokes = STROKES[view.dark ? "dark" : "light"];
		const each = this.lines.map(([name, values], index) => {
			const value = at === null ? values.findLast((one) => one !== null) : values[at];
			const mark = make("span", { class: "mark" });
			mark.style.borderTopColor = strokes[index % 4];
			mark.style.borderTopStyle = STYLES[index % 4];
			return make("span", {}, mark, `${name} ${value === null || value === undefined ? "–" : digits(value)}`);
		});
		const where = at === null ? [] : [make("span", { class: "where" }, `${this.xName} ${this.xs[at]}`)];
		this.legend.replaceChildren(...where, ...each);
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
