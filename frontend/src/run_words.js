// What the page of a run says, in the reader's language.

const ENGLISH = {
	title: (name) => `Run ${name}`,
	failed: (update) => `Training could not go on after update ${update}`,
	facts: ({ task, cell, updates, epochs, seconds }) =>
		[task, cell, `${updates} updates`, `${epochs} ${epochs === 1 ? "pass" : "passes"}`, `${seconds} s`].filter(Boolean).join(" · "),
	best: (loss, update) => `lowest validation loss ${loss} at update ${update}`,
	noValidation: "nothing was held out",
	missing: (names) => `An earlier version began this run; these columns are not in it: ${names}.`,
	unwatched: "This run was not watched: it has no gates, units or gradients (watch=0, or an earlier version).",
	noRows: "There is no row of metrics: training stopped before the first one.",
	hint: "Arrow keys move along it, Escape shows all; drag to zoom, double-click for all.",
	update: "update",
	back: "steps back",
	loss: "Loss",
	training: "training",
	validation: "validation",
	rate: "Learning rate",
	norm: "Gradient norm before clipping",
	clipRate: "Share of updates that were clipped",
	clipAt: (clip) => (clip ? `clipped above ${clip}` : "nothing is clipped: clip=0"),
	layers: "Inside the layers",
	layer: "Layer",
	saturated: "Saturated gates",
	saturatedNote: "share of values below 0.05 or above 0.95 (of tanh: beyond ±0.95), on one batch",
	dead: "Dead units",
	deadNote: "share of units whose output is one number over the whole batch",
	gradient: (state) => `Gradient of the last output, back to ${state}`,
	gradientNote: "norm of the gradient with respect to the state so many steps back",
	after: (update) => `update ${update}`,
	scores: "Scores at the end",
	scored: (counts) => counts,
	verdict: ({ beaten, alike, off, metric, best, own, other }) =>
		off
			? `The model ${alike ? "cannot be told apart from" : beaten ? "is better than" : "is no better than"} its best baseline, ${best}: ${metric} ${own} against ${other}.`
			: `Neither the model nor its best baseline, ${best}, is ever off.`,
	lossNote: "training: the mean since the point before; where that is a few updates, merged with its neighbour",
	sizes: "Size of the model",
	all: "all",
	files: "Files",
	settings: "Settings",
	machine: "Machine",
	noMachine: "An earlier version did not keep the machine.",
	sample: "A sample of what the model writes",
};

// What the library counts in scores.
const KINDS = { sequences: "시퀀스", characters: "글자", bytes: "바이트", tokens: "토큰", pairs: "쌍", images: "이미지", steps: "스텝", series: "계열", words: "단어", examples: "예", forecasts: "예측" };
const COUNTED = new RegExp(`([\\d,]+) (${Object.keys(KINDS).join("|")})\\b`, "g");

const KOREAN = {
	title: (name) => `실행 ${name}`,
	failed: (update) => `업데이트 ${update} 다음에 학습을 계속할 수 없었습니다`,
	facts: ({ task, cell, updates, epochs, seconds }) =>
		[task, cell, `업데이트 ${updates}회`, `데이터 ${epochs}바퀴`, `${seconds}초`].filter(Boolean).join(" · "),
	best: (loss, update) => `가장 낮은 검증 손실 ${loss} (업데이트 ${update})`,
	noValidation: "검증용으로 떼어 둔 데이터가 없습니다",
	missing: (names) => `이전 버전에서 시작한 실행이라 다음 열이 없습니다: ${names}.`,
	unwatched: "이 실행은 관찰하지 않았습니다: 게이트·유닛·기울기 기록이 없습니다 (watch=0이거나 이전 버전).",
	noRows: "지표가 한 줄도 없습니다: 첫 줄을 쓰기 전에 학습이 멈췄습니다.",
	hint: "화살표로 움직이고 Escape로 전체를 봅니다. 끌면 확대, 두 번 누르면 전체.",
	update: "업데이트",
	back: "거슬러 간 스텝 수",
	loss: "손실",
	training: "학습",
	validation: "검증",
	rate: "학습률",
	norm: "클리핑 전 기울기 노름",
	clipRate: "클리핑된 업데이트의 비율",
	clipAt: (clip) => (clip ? `노름이 기준값 ${clip}보다 크면 클리핑` : "클리핑하지 않음: clip=0"),
	layers: "층의 내부",
	layer: "층",
	saturated: "포화된 게이트",
	saturatedNote: "0.05 미만이거나 0.95를 넘는 값의 비율(tanh는 ±0.95 바깥), 배치 하나에서",
	dead: "죽은 유닛",
	deadNote: "배치 전체에서 출력이 변하지 않는 유닛의 비율",
	gradient: (state) => `마지막 출력의 기울기가 ${state}까지 거슬러 간 크기`,
	gradientNote: "그만큼 거슬러 간 스텝의 상태에 대한 기울기 노름",
	after: (update) => `업데이트 ${update}`,
	scores: "마지막 점수",
	scored: (counts) => counts.replace(COUNTED, (_, count, what) => `${KINDS[what]} ${count}개`),
	verdict: ({ beaten, alike, off, metric, best, own, other }) =>
		off
			? `모델이 가장 좋은 기준선(${best})${alike ? "과 구별되지 않습니다" : beaten ? "보다 낫습니다" : "보다 낫지 않습니다"}: ${metric} ${own}, 기준선 ${other}.`
			: `모델과 가장 좋은 기준선(${best}) 모두 틀린 적이 없습니다.`,
	lossNote: "학습: 앞 점부터의 평균. 업데이트가 몇 회뿐인 점은 이웃한 점과 합칩니다",
	sizes: "모델 크기",
	all: "전체",
	files: "파일",
	settings: "설정",
	machine: "기계",
	noMachine: "이전 버전은 기계를 기록하지 않았습니다.",
	sample: "모델이 쓴 글",
};

export const LANGUAGES = { en: ENGLISH, ko: KOREAN };
