// A cell's equations: as large as the place allows.

const SMALLEST = 0.7; // of the usual size; what is wider still is scrolled

/** Show equations that the library wrote, from names that it has checked, in a place of the page. */
export function showEquations(place, mathml) {
	place.innerHTML = mathml;
	fit(place);
	if (place.dataset.fitted) return;
	place.dataset.fitted = "true";
	new ResizeObserver(() => fit(place)).observe(place);
}

function fit(place) {
	const math = place.querySelector("math");
	if (!math || !place.clientWidth) return;
	math.style.fontSize = "";
	const share = place.clientWidth / place.scrollWidth;
	if (share >= 1) return;
	const usual = Number.parseFloat(getComputedStyle(math).fontSize);
	math.style.fontSize = `${usual * Math.max(SMALLEST, 0.97 * share)}px`;
}
