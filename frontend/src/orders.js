// Orders of units: each gives a number for every unit; the largest comes first.

/** The mean of what is finite; 0 where nothing is. */
function mean(numbers) {
	let [sum, count] = [0, 0];
	for (const number of numbers) {
		if (!Number.isFinite(number)) continue;
		sum += number;
		count += 1;
	}
	return count ? sum / count : 0;
}

/** The correlation of two courses over the steps at which both are finite; 0 where one does not vary. */
export function correlation(a, b) {
	const finite = a.map((value, at) => (Number.isFinite(value + b[at]) ? 1 : Number.NaN));
	const [meanA, meanB] = [mean(a.map((value, at) => value * finite[at])), mean(b.map((value, at) => value * finite[at]))];
	let [both, ofA, ofB] = [0, 0, 0];
	for (let at = 0; at < a.length; at++) {
		if (Number.isNaN(finite[at])) continue;
		const [x, y] = [a[at] - meanA, b[at] - meanB];
		both += x * y;
		ofA += x * x;
		ofB += y * y;
	}
	const found = both / Math.sqrt(ofA * ofB);
	return Number.isFinite(found) ? found : 0;
}

/** Steps in which a unit forgets: tau of an exponential with its correlation from one step to the next. */
export function timeConstant(course) {
	const next = correlation(course.subarray(0, -1), course.subarray(1));
	return next <= 0 ? 0 : next >= 1 ? Number.POSITIVE_INFINITY : -1 / Math.log(next);
}

const SCORES = {
	activity: (course) => mean(course.map(Math.abs)),
	variation: (course) => {
		const middle = mean(course);
		return mean(course.map((value) => (value - middle) ** 2));
	},
	slowness: timeConstant,
	correlation: (course, signal) => Math.abs(correlation(course, signal)),
};

/** The units of a plane in an order: their numbers, and by what they stand there. */
export function ordered(plane, order, signal) {
	const units = Array.from({ length: plane.units }, (_, unit) => unit);
	const score = SCORES[order];
	if (!score || (order === "correlation" && !signal)) return { units, scores: null };
	const scores = units.map((unit) => score(plane.course(unit), signal));
	units.sort((a, b) => scores[b] - scores[a] || a - b);
	return { units, scores };
}
