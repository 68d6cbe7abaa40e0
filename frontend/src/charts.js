// Lines over the steps, drawn by uPlot: the overview with its brush, and the courses of picked units.

import uPlot from "uplot";

const STROKES = { light: ["#0b5cad", "#b34700", "#00735c", "#7a3fa0"], dark: ["#7db8ff", "#ffb070", "#5fd6b4", "#d1a3f0"] };

function options(place, height, colours, labels, select) {
	const axis = { stroke: colours.text, grid: { stroke: colours.faint, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
	return {
		width: Math.max(place.clientWidth, 50),
		height,
		legend: { show: false },
		scales: { x: { time: false } },
		axes: [{ ...axis, size: 24 }, { ...axis, size: 44 }],
		cursor: { y: false, drag: { x: true, y: false, setScale: false } },
		series: [{}, ...labels.map((label, index) => ({ label, stroke: STROKES[colours.name][index % 4], width: 1.5, points: { show: false } }))],
		hooks: {
			setSelect: [
				(chart) => {
					if (chart.select.width < 3) return;
					select(chart.posToVal(chart.select.left, "x"), chart.posToVal(chart.select.left + chart.select.width, "x"));
					chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
				},
			],
		},
	};
}

/**
 * A chart in a place, made anew when its lines or the page's colours change.
 *
 * @param place the element.
 * @param height in pixels.
 * @param select is called with the two ends of a range that was dragged.
 * @param move is called with the step under the pointer.
 */
export class Chart {
	constructor(place, height, select, move) {
		Object.assign(this, { place, height, select, move, chart: null });
		place.addEventListener("dblclick", () => select(null, null));
		new ResizeObserver(() => this.chart?.setSize({ width: place.clientWidth, height })).observe(place);
	}

	/** Draw lines over the steps: labels, and as many courses. */
	show(labels, courses, colours) {
		this.chart?.destroy();
		this.chart = null;
		if (!courses.length) return;
		const steps = Float64Array.from(courses[0], (_, step) => step);
		const given = options(this.place, this.height, colours, labels, this.select);
		given.hooks.setCursor = [(chart) => chart.cursor.left >= 0 && chart.cursor.idx !== null && this.move(chart.cursor.idx)];
		this.chart = new uPlot(given, [steps, ...courses.map((course) => Array.from(course, (v) => (Number.isFinite(v) ? v : null)))], this.place);
	}

	/** Show the steps of a range alone. */
	zoom(from, to) {
		this.chart?.setScale("x", { min: from, max: Math.max(to - 1, from + 1) });
	}

	/** Mark a range, as the overview does with what is in view. */
	mark(from, to) {
		if (!this.chart) return;
		const ends = [from, to].map((step) => this.chart.valToPos(step, "x"));
		const [left, right] = ends.map((end) => Math.min(end, this.chart.over.clientWidth)); // the last step ends beyond
		this.chart.setSelect({ left, width: right - left, top: 0, height: this.chart.over.clientHeight }, false);
	}
}

export { STROKES };
