// What the page says, in the reader's language.

const ENGLISH = {
	language: "한국어",
	theme: "Dark / light",
	part: "Part of the model",
	parts: { encoder: "Encoder: what it reads", decoder: "Decoder: what it writes" },
	attention: "Attention",
	attentionMap: "Heat map of attention: a row for each token written, a column for each step read. Arrow keys move.",
	weight: (written, read, weight) => `${written} → ${read}: ${weight}`,
	looks: (written, list) => `${written} looks at ${list}`,
	seenBy: (read, list) => `${read} is looked at by ${list}`,
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
	overview: (quantity) => `Mean |${quantity}| over the units, at all steps: drag to choose a range, double-click for all`,
	traces: "Beside the steps",
	trace: (name) => name,
	alarms: "alarm",
	said: (sentence) => sentence,
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

// The names of traces and the sentences that the library itself writes; what is a user's own stays as it is.
const TRACES = { probability: "확률", "surprise (bits)": "놀라움 (비트)", score: "점수", anomaly: "이상" };
const SENTENCES = [
	[/^a step of the decoder is a token that it writes, after it has read the one before; (.+) is the end$/, (end) => `디코더의 한 스텝은 바로 앞 토큰을 읽고 쓰는 토큰 하나입니다. ${end} 표시는 끝입니다.`],
	[/^the decoder is shown: the input is read at once, without steps$/, () => "디코더를 보여 줍니다. 입력은 스텝 없이 한꺼번에 읽습니다."],
	[/^attention is over places of the image: row,column, from 0 at the top left$/, () => "어텐션은 이미지의 자리(행,열, 왼쪽 위가 0)에 대한 것입니다."],
	[/^the layers read each target on its own, here '(.+?)'(?:; target= names another)?$/, (name) => `층은 타깃을 하나씩 따로 읽습니다. 여기서는 ‘${name}’이며, target=으로 다른 타깃을 고릅니다.`],
	[/^([\d,]+) of ([\d,]+) steps are anomalies: their score is above (\S+)$/, (some, all, threshold) => `전체 ${all}스텝 가운데 이상 ${some}스텝: 점수 기준값 ${threshold} 초과`],
	[/^anomaly$/, () => "이상"],
];

function translated(sentence) {
	for (const [form, write] of SENTENCES) {
		const found = form.exec(sentence);
		if (found) return write(...found.slice(1));
	}
	return sentence;
}

const KOREAN = {
	language: "English",
	theme: "어둡게 / 밝게",
	part: "모델의 부분",
	parts: { encoder: "인코더: 읽는 쪽", decoder: "디코더: 쓰는 쪽" },
	attention: "어텐션",
	attentionMap: "어텐션 열지도: 세로는 쓴 토큰, 가로는 읽은 스텝. 화살표로 움직입니다.",
	weight: (written, read, weight) => `${written} → ${read}: ${weight}`,
	looks: (written, list) => `${written} → 본 곳: ${list}`,
	seenBy: (read, list) => `${read} ← 본 토큰: ${list}`,
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
		`${layer}의 ${quantity} 열지도: 세로는 유닛, 가로는 스텝. 화살표로 움직이고 Enter로 유닛을 고르고 +와 -로 확대하고 Escape로 전체를 봅니다.`,
	overview: (quantity) => `전체 스텝에서 유닛들의 |${quantity}| 평균: 끌어서 구간을 고르고, 두 번 누르면 전체`,
	traces: "스텝과 나란한 값",
	trace: (name) => TRACES[name] ?? name,
	alarms: "경보",
	said: (sentence) => translated(sentence),
	course: "고른 유닛의 흐름; 끌어서 확대",
	pick: "그림에서 유닛을 누르면 그 흐름이 여기에 나옵니다.",
	equations: "수식",
	readout: "커서 위치의 값",
	point: "그림을 가리키면 값이 나옵니다.",
	step: "스텝",
	token: "토큰",
	unit: "유닛",
	predicted: { next: "다음 예측", here: "이 스텝의 예측", "so far": "여기까지의 답" },
	answer: "답",
	perStep: (scores) => `점수 ${scores}`,
	notFinite: "수가 아님",
	reset: "전체 보기",
	steps: (from, to, all) => `스텝 ${from}–${to} / 전체 ${all}`,
	reading: "숫자를 읽는 중…",
	tooOld: "이 브라우저로는 볼 수 없습니다: DecompressionStream이 필요합니다 (Chrome 103, Firefox 113, Safari 16.4).",
};

export const LANGUAGES = { en: ENGLISH, ko: KOREAN };

export function firstLanguage() {
	return navigator.language.startsWith("ko") ? "ko" : "en";
}
