"""The same word in two contexts: 배 (a pear, a ship), bank (of a river, with money), in sentences made here.

A network learns to predict the next word; nobody tells it of meanings. Then a linear probe looks at one vector for
each sentence, at the homonym, and has to say which of the two meanings it has: at the hidden state, which has read the
words before, and at the word's own vector, which is the same in both. The probe is scored on sentences whose words
before the homonym stood together in no sentence that it or the network has seen.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import torch
from recipe import Result, main
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from loopcell import ScoreTable, SequenceTagger
from loopcell.data import split_groups

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 48,
    "embedding_size": 24,
    "dropout": 0.2,
    "epochs": 8,
    "learning_rate": 5e-3,
    "batch_size": 32,
    "patience": None,
}


class Meaning(NamedTuple):
    """One of two meanings of a homonym: what may stand before the word, and what after it, with commas between."""

    word: str
    before: str
    after: str


KOREAN = (
    Meaning(
        "배",
        "시장에서 산, 껍질을 깎은, 달고 시원한, 나무에서 딴",
        "를 먹었다, 가 잘 익었다, 를 한 입 베었다",
    ),
    Meaning(
        "배",
        "항구에 닿은, 바다로 떠난, 돛을 올린, 파도에 흔들린",
        "를 탔다, 가 천천히 나아갔다, 를 밧줄로 묶었다",
    ),
    Meaning(
        "눈",
        "하늘에서 내린, 밤새 쌓인, 하얗고 차가운, 산을 덮은",
        "이 녹았다, 을 뭉쳐 던졌다, 을 삽으로 치웠다",
    ),
    Meaning(
        "눈",
        "졸려서 감은, 안경을 쓴, 눈물이 고인, 크고 까만",
        "이 반짝였다, 을 비볐다, 을 깜박였다",
    ),
    Meaning(
        "밤",
        "해가 진, 달이 뜬, 깊고 어두운, 모두가 잠든",
        "이 깊어 갔다, 을 새웠다, 에 별을 보았다",
    ),
    Meaning(
        "밤",
        "불에 구운, 가시에서 꺼낸, 숲에서 주운, 껍질을 벗긴",
        "을 나누어 먹었다, 이 고소했다, 을 바구니에 담았다",
    ),
)
ENGLISH = (
    Meaning(
        "bank",
        "the boat lay at the, reeds grew along the, we fished from the, the river flooded its",
        "and the water rose, until the current took it, where the grass was wet",
    ),
    Meaning(
        "bank",
        "she borrowed from the, he paid money into the, the loan of the, a clerk of the",
        "and signed the papers, at a high rate, before the office closed",
    ),
    Meaning(
        "bat",
        "out of the cave flew a, at dusk we saw a, the wings of the, an owl chased the",
        "and it hung from a branch, which hunted moths, into the night",
    ),
    Meaning(
        "bat",
        "he swung the, the player broke his, she hit the ball with a, they carved a wooden",
        "and the crowd cheered, on the last pitch, for the next game",
    ),
    Meaning(
        "spring",
        "after the winter came the, the flowers of the, the birds return in, we sow the seeds in",
        "and the days grew longer, when the snow melted, with warm rain",
    ),
    Meaning(
        "spring",
        "the watch had a broken, he wound the steel, the mattress has a loose, a coil of the",
        "and it snapped back, under the weight, so the lid jumped open",
    ),
)
OPENINGS = {
    "Korean": ("어제", "지난주에", "아버지가", "동생이", "우리가"),
    "English": ("yesterday", "they say", "once more", "in the end", "we know that"),
}
LANGUAGES = {"Korean": KOREAN, "English": ENGLISH}


def run(small: bool) -> Result:
    """Learn to predict the sentences of each language, then probe."""
    settings = {**SETTINGS, "epochs": 2} if small else SETTINGS
    rows: dict[str, dict[str, float]] = {"model": {}, "the word's own vector": {}}
    facts: dict[str, object] = {}
    for name, meanings in LANGUAGES.items():
        learned, test = split(sentences(meanings, OPENINGS[name]))
        texts = [words for words, _, _ in learned]
        model = SequenceTagger(**settings, progress=True).fit(texts, [[*words[1:], "."] for words in texts])
        for row, own in (("model", False), ("the word's own vector", True)):
            rows[row][f"probe accuracy, {name}"] = probed(model, learned, test, own=own)
        facts[f"sentences, {name}"] = {"learned": len(learned), "held out": len(test)}
    table = ScoreTable("which of two meanings a homonym has, by a linear probe", rows)
    return Result(dict(table.model), table, settings, facts)


Sentence = tuple[list[str], int, tuple[str, int]]


def sentences(meanings: tuple[Meaning, ...], openings: tuple[str, ...]) -> list[Sentence]:
    """Return words, the place of the homonym among them, and which one it is with which meaning."""
    found = []
    for number, (word, before, after) in enumerate(meanings):
        for opening, first, last in itertools.product(openings, before.split(", "), after.split(", ")):
            head = f"{opening} {first}".split()
            found.append(([*head, word, *last.split(), "."], len(head), (word, number % 2)))
    return found


def split(found: list[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Return sentences to learn from, and those to be asked about: training has none of their words so far."""
    learned, test = split_groups([" ".join(words[: place + 1]) for words, place, _ in found], 0.25, seed=0)
    return [found[i] for i in learned], [found[i] for i in test]


def probed(model: SequenceTagger, learned: list[Sentence], test: list[Sentence], *, own: bool) -> float:
    """Return the share of held-out sentences whose meaning a linear probe tells; a probe for each homonym."""
    right = []
    for word in sorted({which[0] for _, _, which in learned}):
        parts = [[s for s in part if s[2][0] == word] for part in (learned, test)]
        (X, y), (rest, true) = (
            ([vector(model, s, own=own) for s in part], [meaning for _, _, (_, meaning) in part]) for part in parts
        )
        # As many examples of each meaning count the same, so that a vector which says nothing is right half the time.
        linear = LogisticRegression(class_weight="balanced", max_iter=1000)
        probe = make_pipeline(StandardScaler(), linear).fit(X, y)
        shares = [np.mean(probe.predict([v for v, t in zip(rest, true, strict=True) if t == m]) == m) for m in (0, 1)]
        right.append(float(np.mean(shares)))
    return float(np.mean(right))


@torch.no_grad()
def vector(model: SequenceTagger, sentence: Sentence, *, own: bool) -> np.ndarray:
    """Return the homonym's own vector, or the hidden state after it."""
    words, place, _ = sentence
    ids = torch.from_numpy(next(model.input_.each([words])))[:, None]
    reader = model.network_.reader
    found = reader.first(ids) if own else reader(ids)[0]
    return found[place, 0].numpy()


if __name__ == "__main__":
    main(run)
