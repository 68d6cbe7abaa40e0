// What the panel of matches says, in the reader's language.

const ENGLISH = {
	title: "The same pattern elsewhere",
	count: (shown, all, steps) => `The best ${shown} of ${all} places in ${steps} steps of the corpus where most of these units are on together:`,
	none: (steps) => `In ${steps} steps of the corpus these units are never on together:`,
	show: "Show the pattern in the picture",
	open: "Click a place to see its units there.",
	place: (sequence, start) => `sequence ${sequence}, step ${start}`,
	drawn: (shown, all) => `The course draws ${shown} of these ${all} units; click a unit in the picture to draw another.`,
	values: "Values of the pattern's units at this place: a row for each unit, a column for each step; the match is framed.",
};

const KOREAN = {
	title: "같은 패턴이 나오는 곳",
	count: (shown, all, steps) => `말뭉치 ${steps}스텝에서 이 유닛들이 대부분 함께 켜지는 ${all}곳 가운데 가장 비슷한 ${shown}곳입니다:`,
	none: (steps) => `말뭉치 ${steps}스텝에서 이 유닛들이 함께 켜지는 곳은 없습니다:`,
	show: "그림에서 패턴 보기",
	open: "한 곳을 누르면 그곳의 유닛 값이 나옵니다.",
	place: (sequence, start) => `시퀀스 ${sequence}, 스텝 ${start}`,
	drawn: (shown, all) => `흐름 그림에는 유닛 ${all}개 가운데 ${shown}개만 그립니다. 다른 유닛은 그림에서 누르면 나옵니다.`,
	values: "이곳에서 패턴 유닛의 값: 행은 유닛, 열은 스텝이며 테두리 안이 찾은 구간입니다.",
};

export const MATCH_LANGUAGES = { en: ENGLISH, ko: KOREAN };
