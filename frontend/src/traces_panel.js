// What goes along with the steps, as lines below the heat map: columns, forecasts, surprise, scores with their alarms.

import { Chart, STROKES } from "./charts.js";
import { choice, make } from "./dom.js";

const ALARMS = "anomaly"; // the trace of a detector that is 1 where its score is an alarm
const SCORE = "score";
const MOST = 4; // lines of one chart
const NOTHING = { elements: [], draw: () => {} };

/**
 * The panel of a part's traces; an empty one where it has none.
 *
 * @param facts of the part: its traces by name, a number or null for each step.
 * @param view its range is shown.
 * @param words of the reader's language.
 * @param choose is called with the ends of a range that was dragged.
 * @param move is called with the step under the pointer.
 */
export function tracesPanel(facts, view, words, choose, move) {
	const names = Object.keys(facts.traces).filter((name) => name !== ALARMS);
	return names.length ? new TracesPanel(facts.traces, names, view, words, choose, move) : NOTHING;
}

class TracesPanel {
	constructor(traces, names, view, words, choose, move) {
		Object.assign(this, { traces, names, view, words });
		this.alarms = SCORE in traces ? traces[ALARMS] : undefined;
		// A column's forecasts and bounds are named after it, and stand beside it.
		const heads = names.filter((name) => !names.some((other) => name.startsWith(`${other} `)));
		this.head = this.alarms ? SCORE : heads[0];
		this.place = make("div", { class: "chart", role: "img" });
		this.legend = make("p", { class: "beside" });
		this.chart = new Chart(this.place, 150, choose, move);
		const options = heads.map((name) => [name, words.trace(name)]);
		const pick = choice(words.traces, options, this.head, (name) => { this.head = name; this.#show(); });
		this.elements = [make("div", { class: "caption" }, pick), this.legend, this.place];
	}

	/** Draw in some colours, and show the range that is in view. */
	draw(colours) {
		if (this.colours?.name !== colours.name) {
			this.colours = colours;
			this.#show();
		}
		this.chart.zoom(this.view.from, this.view.to);
	}

	#show() {
		const beside = this.names.filter((name) => name.startsWith(`${this.head} `));
		const lines = [this.head, ...beside].slice(0, MOST).map((name) => [this.words.trace(name), this.traces[name]]);
		if (this.alarms && this.head === SCORE) {
			lines.push([this.words.alarms, this.traces[SCORE].map((value, step) => (this.alarms[step] ? value : null))]);
		}
		const names = lines.map(([name]) => name);
		const points = names.map((name) => name === this.words.alarms);
		this.place.setAttribute("aria-label", names.join(", "));
		this.chart.show(names, lines.map(([, values]) => values), this.colours, { points });
		this.chart.zoom(this.view.from, this.view.to);
		const strokes = STROKES[this.colours.name];
		this.legend.replaceChildren(
			...names.map((name, index) => {
				const mark = make("span", {}, points[index] ? `● ${name}` : name);
				mark.style.color = strokes[index % strokes.length];
				return mark;
			}),
		);
	}
}
