// Texts as token ids and back: the vocabularies of `data/text/`, as far as a page can have them.

const LEADS = 19;
const VOWELS = 21;
const TRAILS = 27;
const [LEAD, VOWEL, TRAIL, LITERAL] = [1, 1 + LEADS, 1 + LEADS + VOWELS, 1 + LEADS + VOWELS + TRAILS];
const FIRST_SYLLABLE = 0xac00;
const FORMS = TRAILS + 1;

/** The parts of a Hangul syllable, two or three token ids; nothing for another character. */
function parts(character) {
	const code = character.codePointAt(0) - FIRST_SYLLABLE;
	if (code < 0 || code >= LEADS * VOWELS * FORMS) return null;
	const ids = [LEAD + Math.floor(code / (VOWELS * FORMS)), VOWEL + (Math.floor(code / FORMS) % VOWELS)];
	return code % FORMS ? [...ids, TRAIL + (code % FORMS) - 1] : ids;
}

const isLead = (id) => id >= LEAD && id < VOWEL;
const isVowel = (id) => id >= VOWEL && id < TRAIL;
const isTrail = (id) => id >= TRAIL && id < LITERAL;

function composed(lead, vowel, trail) {
	const form = trail === undefined ? 0 : trail - TRAIL + 1;
	return String.fromCodePoint(FIRST_SYLLABLE + ((lead - LEAD) * VOWELS + vowel - VOWEL) * FORMS + form);
}

/** A vocabulary of the kinds char, byte and jamo. */
export class Tokens {
	/**
	 * @param vocabulary what the library stores of it: its kind and characters.
	 * @param labels the text of each id alone.
	 */
	constructor(vocabulary, labels) {
		Object.assign(this, { kind: vocabulary.kind, labels });
		const first = vocabulary.kind === "jamo" ? LITERAL : 1;
		this.places = new Map((vocabulary.characters ?? []).map((character, place) => [character, place + first]));
	}

	/** The ids of a text; 0 for a character that training never saw. */
	encode(text) {
		if (this.kind === "byte") return [...new TextEncoder().encode(text)];
		return Array.from(text).flatMap((character) => (this.kind === "jamo" && parts(character)) || [this.places.get(character) ?? 0]);
	}

	/** The text of ids. */
	decode(ids) {
		if (this.kind === "byte") return new TextDecoder().decode(Uint8Array.from(ids));
		let text = "";
		for (let at = 0; at < ids.length; at++) {
			if (this.kind === "jamo" && isLead(ids[at]) && at + 1 < ids.length && isVowel(ids[at + 1])) {
				const trail = isTrail(ids[at + 2]) ? ids[at + 2] : undefined;
				text += composed(ids[at], ids[at + 1], trail);
				at += trail === undefined ? 1 : 2;
			} else text += this.labels[ids[at]];
		}
		return text;
	}

	/** Whether a token that comes after some ids would change their text: a trailing consonant after an open syllable. */
	changes(ids, next) {
		return this.kind === "jamo" && isTrail(next) && ids.length > 1 && isLead(ids.at(-2)) && isVowel(ids.at(-1));
	}
}
