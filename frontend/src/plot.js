// Charts as SVG: lines with error bars over a linear or logarithmic axis, and bars. The style sheet has the colours, so
// that a change of theme needs no new drawing; each series has a mark and a dash of its own beside its colour.

const NAMESPACE = "http://www.w3.org/2000/svg";
const MARGIN = { left: 58, right: 14, top: 10, bottom: 42 };
const LEAST_WORDS = 92; // to the right of the lines that have a word
const MARKS = [
	"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
	"M-3.5 -3.5h7v7h-7z",
	"M0 -4.8l4.4 8h-8.8z",
	"M0 -5l5 5l-5 5l-5 -5z",
	"M0 4.8l4.4 -8h-8.8z",
	"M-1.4 -4.6h2.8v3.2h3.2v2.8h-3.2v3.2h-2.8v-3.2h-3.2v-2.8h3.2z",
];
export const STYLES = MARKS.length;

/** Make an SVG element. */
export function shape(tag, attributes = {}, ...children) {
	const element = document.createElementNS(NAMESPACE, tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

/** The mark of a series, alone, for a legend. */
export function mark(index) {
	const line = shape("path", { d: "M0 8h26", class: `line s${index % STYLES}` });
	const point = shape("path", { d: MARKS[index % STYLES], class: `mark s${index % STYLES}`, transform: "translate(13 8)" });
	return shape("svg", { width: 26, height: 16, "aria-hidden": "true" }, line, point);
}

class Axis {
	constructor(low, high, from, to, log) {
		Object.assign(this, { low, high, from, to, log });
	}

	at(value) {
		const [low, high, here] = this.log ? [this.low, this.high, value].map(Math.log10) : [this.low, this.high, value];
		const share = high === low ? 0.5 : (here - low) / (high - low);
		return this.from + Math.min(1, Math.max(0, share)) * (this.to - this.from);
	}

	ticks() {
		return this.log ? powers(this.low, this.high) : steps(this.low, this.high);
	}
}

function powers(low, high) {
	const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
	const every = Math.max(1, Math.ceil((last - first) / 6));
	const found = [];
	for (let power = first; power <= last; power += every) found.push(10 ** power);
	return found.length > 1 ? found : [low, high];
}

function steps(low, high) {
	const rough = (high - low) / 5 || 1;
	const unit = 10 ** Math.floor(Math.log10(rough));
	const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough);
	const found = [];
	for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) found.push(value);
	return found;
}

/** A number at an axis. */
export function label(value) {
	if (value === 0) return "0";
	const size = Math.abs(value);
	return size < 1e-3 || size >= 1e5 ? value.toExponential(0).replace("e+", "e") : String(Number(value.toPrecision(3)));
}

/**
 * Lines with error bars.
 *
 * @param width in pixels.
 * @param height in pixels.
 * @param x {low, high, log, label, ticks}: the axis; ticks are optional.
 * @param y {low, high, log, label}: the axis.
 * @param series {index, name, points: [{x, y, low, high, title}]}: points without a number are left out.
 * @param rules {y, label}: horizontal lines with a word.
 */
export function lines({ width, height, x, y, series, rules = [], description }) {
	const room = Math.max(LEAST_WORDS, ...rules.map((rule) => textWidth(rule.label) + 12));
	const beside = rules.length > 0 && room <= 0.35 * width; // else the words stand on their lines
	const right = width - (beside ? room : MARGIN.right);
	const across = new Axis(x.low, x.high, MARGIN.left + (x.pad ?? 0), right - (x.pad ?? 0), x.log);
	const up = new Axis(y.low, y.high, height - MARGIN.bottom, MARGIN.top, y.log);
	const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });
	picture.append(...axes(across, up, x, y, right, height));
	for (const rule of rules) {
		const at = up.at(rule.y);
		picture.append(shape("path", { d: `M${MARGIN.left} ${at}H${right}`, class: "rule" }));
		const place = beside ? { x: right + 5, y: at + 4 } : { x: right, y: at - 4, "text-anchor": "end" };
		picture.append(shape("text", { ...place, class: "word" }, rule.label));
	}
	series.forEach((one, place) => {
		const shift = x.spread ? (place - (series.length - 1) / 2) * Math.min(7, x.spread / series.length) : 0;
		picture.append(drawn(one, (value) => across.at(value) + shift, up));
	});
	return picture;
}

/** About how many pixels a text of a chart takes: a letter of Hangul is as wide as two others. */
function textWidth(text) {
	return [...text].reduce((sum, letter) => sum + (letter > "\u1100" ? 12.5 : 6.8), 0);
}

function axes(across, up, x, y, right, height) {
	const found = [];
	for (const tick of up.ticks()) {
		const at = up.at(tick);
		found.push(shape("path", { d: `M${MARGIN.left} ${at}H${right}`, class: "grid" }));
		found.push(shape("text", { x: MARGIN.left - 6, y: at + 4, "text-anchor": "end" }, label(tick)));
	}
	for (const [tick, word] of x.ticks ?? across.ticks().map((value) => [value, label(value)])) {
		found.push(shape("text", { x: across.at(tick), y: height - MARGIN.bottom + 16, "text-anchor": "middle" }, word));
	}
	found.push(shape("text", { x: (MARGIN.left + right) / 2, y: height - 6, "text-anchor": "middle", class: "word" }, x.label));
	const middle = (MARGIN.top + height - MARGIN.bottom) / 2;
	found.push(shape("text", { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle", class: "word" }, y.label));
	return found;
}

function drawn(one, at, up) {
	const style = `s${one.index % STYLES}`;
	const points = one.points.filter((point) => point.y !== null);
	const group = shape("g", { "data-series": one.name });
	const path = points.map((point, place) => `${place ? "L" : "M"}${at(point.x).toFixed(1)} ${up.at(point.y).toFixed(1)}`);
	group.append(shape("path", { d: path.join("") || "M0 0", class: `line ${style}` }));
	for (const point of points) {
		if (one.plain) break;
		const here = at(point.x);
		if (point.low !== undefined && point.low !== null) {
			const [top, bottom] = [up.at(point.high), up.at(point.low)];
			group.append(shape("path", { d: `M${here - 4} ${top}h8M${here} ${top}V${bottom}M${here - 4} ${bottom}h8`, class: `bar ${style}` }));
		}
		const dot = shape("path", { d: MARKS[one.index % STYLES], class: `mark ${style}`, transform: `translate(${here} ${up.at(point.y)})` });
		dot.append(shape("title", {}, point.title));
		group.append(dot);
	}
	return group;
}

/** Horizontal bars with their values in words. */
export function bars({ width, rows, description }) {
	const [row, left] = [26, Math.max(76, ...rows.map((one) => textWidth(one.name) + 12))];
	const largest = Math.max(...rows.map((one) => one.value), Number.MIN_VALUE);
	const height = rows.length * row + 4;
	const picture = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });
	rows.forEach((one, place) => {
		const [top, length] = [place * row + 4, ((width - left - 76) * one.value) / largest];
		picture.append(
			shape("text", { x: left - 6, y: top + 14, "text-anchor": "end" }, one.name),
			shape("rect", { x: left, y: top, width: Math.max(1, length), height: row - 8, class: `fill s${one.index % STYLES}` }),
			shape("text", { x: left + length + 6, y: top + 14 }, one.words),
		);
	});
	return picture;
}
