// The frame of a page of charts: the reader's language and theme, the head with its two buttons, and the tables.

import { pageColours } from "./colours.js";
import { make } from "./dom.js";
import { firstLanguage } from "./words.js";

const BUTTONS = { en: ["한국어", "Dark / light"], ko: ["English", "어둡게 / 밝게"] };

/** What a page is shown in; a page adds to it what else may change. */
export const view = { language: firstLanguage(), dark: matchMedia("(prefers-color-scheme: dark)").matches };

/** The colours of the theme, as charts take them. */
export const colours = () => pageColours(view.dark);

/** The head of a page; `build` makes the page again in another language or theme. */
export function head(title, build) {
	document.documentElement.lang = view.language;
	document.documentElement.dataset.theme = view.dark ? "dark" : "light";
	const [language, theme] = BUTTONS[view.language];
	const button = (id, text, change) =>
		make("button", { type: "button", id, click: () => { change(); build(); document.getElementById(id).focus(); } }, text);
	return make(
		"header",
		{},
		make("h1", {}, title),
		make(
			"div",
			{ class: "buttons" },
			button("language", language, () => { view.language = view.language === "en" ? "ko" : "en"; }),
			button("theme", theme, () => { view.dark = !view.dark; }),
		),
	);
}

/** A table of rows of cells, the first of each its name; with the names of the columns where there are some. */
export function table(rows, columns = []) {
	const top = columns.length ? [make("tr", {}, make("td"), ...columns.map((name) => make("th", { scope: "col" }, name)))] : [];
	const body = rows.map(([name, ...cells]) => make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", {}, cell))));
	return make("div", { class: "wide" }, make("table", {}, ...top, ...body));
}

/** A part of a page under a heading of its own; nothing where there is nothing in it. */
export function section(title, ...inside) {
	return inside.length ? make("section", {}, make("h2", {}, title), ...inside) : "";
}
