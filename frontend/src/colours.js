// Colour tables that people with any colour vision can read: blue against yellow, even in lightness (OKLab).

const STOPS = {
	// A gate: closed is dark, open is light.
	gate: ["#0b1f4b", "#33568f", "#7d8591", "#c4b26a", "#ffe45c"],
	// Signed numbers: blue below zero, orange above, and zero as the page's ground.
	light: ["#0b3c8c", "#6f9fd8", "#f5f5f2", "#e9a05a", "#8f3d00"],
	dark: ["#8fc0ff", "#2f66ab", "#16181d", "#a6571c", "#ffbe7a"],
};
const NOT_FINITE = [255, 0, 170];

function linear(channel) {
	const value = channel / 255;
	return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function gamma(value) {
	const bounded = Math.min(1, Math.max(0, value));
	return Math.round(255 * (bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055));
}

// Ottosson: A perceptual color space for image processing, 2020 (OKLab): the two matrices and the cube root.
function toLab(hex) {
	const [r, g, b] = [1, 3, 5].map((at) => linear(Number.parseInt(hex.slice(at, at + 2), 16)));
	const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
	const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
	const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
	return [
		0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
		1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
		0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
	];
}

function toRgb([light, a, b]) {
	const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
	const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
	const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
	return [
		gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
		gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
		gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
	];
}

/** 257 colours as ABGR words for an ImageData: 256 from low to high, then the one of what is not finite. */
export function colourTable(gate, dark) {
	const stops = STOPS[gate ? "gate" : dark ? "dark" : "light"].map(toLab);
	const table = new Uint32Array(257);
	for (let index = 0; index < 256; index++) {
		const place = (index / 255) * (stops.length - 1);
		const left = Math.min(Math.floor(place), stops.length - 2);
		const mixed = stops[left].map((value, axis) => value + (stops[left + 1][axis] - value) * (place - left));
		table[index] = word(toRgb(mixed));
	}
	table[256] = word(NOT_FINITE);
	return table;
}

function word([r, g, b]) {
	return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** The table as a CSS gradient, for the legend. */
export function gradient(table) {
	const stops = [0, 64, 128, 192, 255].map((at) => css(table[at]));
	return `linear-gradient(to right, ${stops.join(", ")})`;
}

function css(value) {
	return `rgb(${value & 255} ${(value >> 8) & 255} ${(value >> 16) & 255})`;
}

/** The colours of the page as it is now, for what is drawn on a canvas. */
export function pageColours(dark) {
	const style = getComputedStyle(document.documentElement);
	const named = (name) => style.getPropertyValue(`--${name}`).trim();
	return { name: dark ? "dark" : "light", text: named("text"), faint: named("faint"), line: named("line"), accent: named("accent") };
}
