// Elements from JavaScript, without a framework.

/** Make an element: `make("button", { type: "button" }, "Reset")`; functions become listeners. */
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") element.addEventListener(name, value);
		else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
	}
	element.append(...children);
	return element;
}

/** A labelled select of [value, text] pairs. */
export function choice(label, options, value, change) {
	const select = make("select", { change: () => change(select.value) });
	for (const [name, text] of options) select.append(make("option", { value: name }, text));
	select.value = value;
	return make("label", { class: "choice" }, make("span", {}, label), select);
}

/** A number with as many digits as a reader wants. */
export function digits(number) {
	if (!Number.isFinite(number)) return String(number);
	const size = Math.abs(number);
	return size !== 0 && (size < 1e-3 || size >= 1e5) ? number.toExponential(2) : number.toFixed(size < 10 ? 3 : 1);
}
