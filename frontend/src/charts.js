// Lines over the steps or over other numbers, drawn by uPlot: brushes, courses of units, curves of a run.

import uPlot from "uplot";

const STROKES = { light: ["#0b5cad", "#b34700", "#00735c", "#7a3fa0"], dark: ["#7db8ff", "#ffb070", "#5fd6b4", "#d1a3f0"] };

// Patterns beside the colours, where lines have to be told apart without them.
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

// The distances of ticks: of updates and steps, which are whole; and of logs, which are what a logarithmic scale draws, since uPlot's own
// one goes on for ever where numbers are below 1e-16.
const WHOLE = [1, 2, 5].flatMap((first) => Array.from({ length: 9 }, (_, power) => first * 10 ** power)).sort((a, b) => a - b);
const DECADES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

/** The number at a tick of an axis, in few characters. */
function tick(value, log) {
	if (value === null) return "";
	const number = log ? Number((10 ** value).toPrecision(2)) : value;
	const size = Math.abs(number);
	return size !== 0 && (size < 1e-3 || size >= 1e5) ? number.toExponential().replace("e+", "e") : String(number);
}

function options(place, height, colours, labels, select, how) {
	const axis = { stroke: colours.text, grid: { stroke: colours.faint, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
	return {
		width: Math.max(place.clientWidth, 50),
		height,
		legend: { show: false },
		scales: { x: { time: false }, y: { range: how.range } },
		axes: [
			{ ...axis, size: 24, incrs: WHOLE, ...(how.xName && { label: how.xName, labelSize: 20, labelFont: "11px system-ui" }) },
			{ ...axis, size: how.xName ? 54 : 44, ...(how.log && { incrs: DECADES }), ...(how.xName && { values: (_, splits) => splits.map((value) => tick(value, how.log)) }) },
		],
		cursor: { y: false, drag: { x: true, y: false, setScale: false } },
		series: [{}, ...labels.map((label, index) => ({ label, stroke: STROKES[colours.name][index % 4], width: how.dashes ? 2 : 1.5, dash: how.dashes && DASHES[index % 4], spanGaps: Boolean(how.xs), points: { show: Boolean(how.points?.[index]) } }))],
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

	/**
	 * Draw lines: labels, and as many courses.
	 *
	 * @param how `xs`: what lies along the axis, 0, 1, 2, ... without; `log`: a logarithmic scale, without what is not above
	 *   zero; `range`: the ends of the scale; `xName`: the axis' name; `dashes`: drawn so; `points`: for
	 *   each line whether its points are marked.
	 */
	show(labels, courses, colours, how = {}) {
		this.chart?.destroy();
		this.chart = null;
		if (!courses.length) return;
		const xs = how.xs ?? Float64Array.from(courses[0], (_, step) => step);
		const number = (value) => (how.log ? Math.log10(value) : value);
		const shown = (value) => value !== null && Number.isFinite(number(value));
		const given = options(this.place, this.height, colours, labels, this.select, how);
		given.hooks.setCursor = [(chart) => chart.cursor.left >= 0 && chart.cursor.idx !== null && this.move(chart.cursor.idx)];
		this.chart = new uPlot(given, [xs, ...courses.map((course) => Array.from(course, (v) => (shown(v) ? number(v) : null)))], this.place);
	}

	/** Put the cursor on a number of the axis, as the pointer does. */
	point(x) {
		this.chart?.setCursor({ left: this.chart.valToPos(x, "x"), top: this.height / 3 });
	}

	/** Show what lies between two numbers of the axis. */
	between(min, max) {
		this.chart?.setScale("x", { min, max: max > min ? max : min + 1 });
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

export { DASHES, STROKES };
