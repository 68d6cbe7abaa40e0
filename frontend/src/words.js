// What the page says, in the reader's language.

const ENGLISH = {
	language: "한국어",
	theme: "Dark / light",
	layer: "Layer",
	order: "Order of units",
	orders: {
		index: "as they are",
		activity: "most active first",
		variation: "most varied first",
		slowness: "slowest first",
		correlation: "by correlation with",
	},
	signal: "Signal",
	cursorToken: (token) => `the token ${token}`,
	pickedUnit: (unit) => `unit ${unit}`,
	heatMap: (quantity, layer) =>
		`Heat map of ${quantity} in ${layer}: units over steps. Arrow keys move the cursor, Enter picks a unit, + and - zoom, Escape shows all.`,
	overview: "All steps: drag to choose a range, double-click for all",
	course: "Course of the picked units; drag to zoom",
	pick: "Click a unit in the picture to see its course here.",
	equations: "Equations",
	readout: "At the cursor",
	point: "Point at the picture to read its numbers.",
	step: "step",
	token: "token",
	unit: "unit",
	predicted: { next: "expected next", here: "predicted here", "so far": "answer so far" },
	answer: "Answer",
	perStep: (scores) => `score ${scores}`,
	notFinite: "not a number",
	reset: "Show all",
	steps: (from, to, all) => `steps ${from} to ${to} of ${all}`,
	reading: "Reading the numbers…",
	tooOld: "This browser cannot read the page: it needs DecompressionStream (Chrome 103, Firefox 113, Safari 16.4).",
};

const KOREAN = {
	language: "English",
	theme: "어둡게 / 밝게",
	layer: "층",
	order: "유닛 순서",
	orders: {
		index: "원래 순서",
		activity: "활동이 큰 순",
		variation: "변화가 큰 순",
		slowness: "느린 순",
		correlation: "상관이 큰 순:",
	},
	signal: "신호",
	cursorToken: (token) => `토큰 ${token}`,
	pickedUnit: (unit) => `유닛 ${unit}`,
	heatMap: (quantity, layer) =>
		`${layer}의 ${quantity} 열지도: 세로는 유닛, 가로는 시점. 화살표로 움직이고 Enter로 유닛을 고르고 +와 -로 확대하고 Escape로 전체를 봅니다.`,
	overview: "전체 시점: 끌어서 구간을 고르고, 두 번 누르면 전체",
	course: "고른 유닛의 흐름; 끌어서 확대",
	pick: "그림에서 유닛을 누르면 그 흐름이 여기에 나옵니다.",
	equations: "수식",
	readout: "커서 위치의 값",
	point: "그림을 가리키면 값이 나옵니다.",
	step: "시점",
	token: "토큰",
	unit: "유닛",
	predicted: { next: "다음 예측", here: "이 시점의 예측", "so far": "여기까지의 답" },
	answer: "답",
	perStep: (scores) => `점수 ${scores}`,
	notFinite: "수가 아님",
	reset: "전체 보기",
	steps: (from, to, all) => `시점 ${from}–${to} / 전체 ${all}`,
	reading: "숫자를 읽는 중…",
	tooOld: "이 브라우저로는 볼 수 없습니다: DecompressionStream이 필요합니다 (Chrome 103, Firefox 113, Safari 16.4).",
};

export const LANGUAGES = { en: ENGLISH, ko: KOREAN };

export function firstLanguage() {
	return navigator.language.startsWith("ko") ? "ko" : "en";
}
