"""A reply to a command: a rambling order in, a routine out; the recipe makes both.

"um could you dim the lights in the attic, oh but before that play jazz in the kitchen please" becomes the routine
"play jazz kitchen ; dim lights attic". Which things are done in which room is split: the test asks for pairs of a deed
and a room that no training order has together, and every deed and every room is in training with others.
"""

from __future__ import annotations

import itertools

import numpy as np
from recipe import Result, main

from loopcell import ScoreTable, Seq2Seq

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 128,
    "embedding_size": 64,
    "tokens": "word",
    "dropout": 0.3,
    "epochs": 8,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "label_smoothing": 0.0,
}
# What is said, and what is done.
DEEDS = {
    "dim the lights": "dim lights",
    "switch on every lamp": "on lights",
    "turn the lights off": "off lights",
    "play jazz": "play jazz",
    "put on some rock": "play rock",
    "stop the music": "stop music",
    "make it warmer": "heat up",
    "turn the heating down": "heat down",
    "open the blinds": "open blinds",
    "shut the curtains": "close blinds",
    "lock the door": "lock door",
    "vacuum the floor": "clean floor",
}
ROOMS = {
    "in the kitchen": "kitchen",
    "where i cook": "kitchen",
    "in the bedroom": "bedroom",
    "where i sleep": "bedroom",
    "upstairs in the attic": "attic",
    "down in the cellar": "cellar",
    "in the study": "study",
    "at my desk": "study",
    "in the garage": "garage",
    "in the hall": "hall",
}
OPENINGS = ("um", "hey", "well", "so", "listen", "i was thinking", "my mother is coming so", "it is late and")
WISHES = ("could you", "please", "i want you to", "would you mind to", "can you just", "you should")
ENDINGS = ("", "thanks", "please", "if that is all right", "and hurry", "i mean it", "as always")
THEN = ("and then", "then", "after that", "and when that is done")
BEFORE = ("but before that", "oh but first", "no wait first")
PLACES = sorted(set(ROOMS.values()))


def run(small: bool) -> Result:
    """Train on orders of one to three deeds, test on orders that have one pair at least which is new."""
    drawn = np.random.default_rng(1)
    pairs = list(itertools.product(DEEDS.values(), PLACES))
    new = {pairs[at] for at in drawn.permutation(len(pairs))[: len(pairs) // 6]}
    learned = orders(200 if small else 12_000, drawn, new, with_new=False)
    tests = {name: orders(40 if small else 1_000, drawn, new, with_new=name == "model") for name in ("model", "seen")}
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 1} if small else SETTINGS
    model = Seq2Seq(**settings, progress=True).fit(*learned)
    table = model.evaluate(*tests["model"], training=learned)
    seen = model.evaluate(*tests["seen"]).model
    rows = {**table.rows, "model, seen pairs": dict(seen)}
    written = model.predict(tests["model"][0][:10])
    samples = [{"order": x, "true": y, "written": text} for x, y, text in zip(*tests["model"], written, strict=False)]
    figures = {"exact match": table.model["exact match"], "exact match, seen pairs": seen["exact match"]}
    facts = {"samples": samples, "pairs of deed and room": {"all": len(pairs), "new in the test": len(new)}}
    return Result(figures, ScoreTable(f"{len(tests['model'][0]):,} orders with a new pair", rows), settings, facts)


def orders(
    count: int, drawn: np.random.Generator, new: set[tuple[str, str]], *, with_new: bool
) -> tuple[list[str], list[str]]:
    """Return orders and their routines; each has a pair of the new ones, or none has."""
    X, y = [], []
    while len(X) < count:
        steps = [(pick(drawn, list(DEEDS)), pick(drawn, list(ROOMS))) for _ in range(drawn.integers(1, 4))]
        done = [(DEEDS[deed], ROOMS[room]) for deed, room in steps]
        if any(step in new for step in done) == with_new:
            order, routine = said(steps, done, drawn)
            X.append(order)
            y.append(routine)
    return X, y


def said(steps: list[tuple[str, str]], done: list[tuple[str, str]], drawn: np.random.Generator) -> tuple[str, str]:
    """Return an order in words, and its routine: a step after "but before that" is done before all said so far."""
    words, routine = [pick(drawn, OPENINGS), pick(drawn, WISHES)], []
    for at, (step, deed) in enumerate(zip(steps, done, strict=True)):
        first = bool(at) and drawn.random() < 0.4
        if at:
            words.append(pick(drawn, BEFORE if first else THEN))
        words += step if drawn.random() < 0.7 else (step[1], step[0])
        routine.insert(0 if first else at, " ".join(deed))
    return " ".join([*words, pick(drawn, ENDINGS)]).strip(), " ; ".join(routine)


def pick(drawn: np.random.Generator, words: object) -> str:
    """Return one of some texts."""
    return str(drawn.choice(words))


if __name__ == "__main__":
    main(run)
