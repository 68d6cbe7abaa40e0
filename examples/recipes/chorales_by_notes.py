"""Chorales of Bach as piano rolls: the notes of the next quarter note from those before, every key by itself.

A step has 88 zeros and ones, and so has its target, the step after it: several labels a step. The negative
log-likelihood of a step is the sum over its keys, as published figures are; these are of another cutting into steps.
"""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
from recipe import Known, Result, main

from loopcell import SequenceTagger
from loopcell.data import fetch

SETTINGS = {"random_state": 1, "cell": "lstm", "hidden_size": 200, "dropout": 0.3}
KEYS, LOWEST = 88, 21  # of a piano, and the MIDI number of its lowest
KNOWN = Known(
    "LSTM 8.45, GRU 8.43, RNN 8.91 nats a step, of another cutting into steps",
    "Bai, Kolter, Koltun, 2018 (arXiv 1803.01271), table 1",
)

Rolls = list[npt.NDArray[np.float32]]


def run(small: bool) -> Result:
    """Train, choose by the validation part, score the test part beside frequencies and a logistic regression a key."""
    parts = json.loads(fetch("jsb-chorales")["jsb-chorales-quarter.json"].read_text(encoding="utf-8"))
    if small:
        parts = {name: chorales[:8] for name, chorales in parts.items()}
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 2} if small else SETTINGS
    rolls = {name: [roll(chorale) for chorale in chorales] for name, chorales in parts.items()}
    training, chosen_by, test = (told(rolls[name]) for name in ("train", "valid", "test"))
    model = SequenceTagger(**settings, progress=True).fit(*training, validation=chosen_by)
    table = model.evaluate(*test, training=training)
    return Result(dict(table.model), table, settings, {"steps": sum(map(len, test[0]))})


def roll(chorale: list[list[int]]) -> npt.NDArray[np.float32]:
    """Return a chorale as zeros and ones [T, 88]."""
    found = np.zeros((len(chorale), KEYS), np.float32)
    for step, chord in enumerate(chorale):
        found[step, [note - LOWEST for note in chord]] = 1.0
    return found


def told(rolls: Rolls) -> tuple[Rolls, Rolls]:
    """Return what is read, all steps but the last, and what is to be told, all but the first."""
    return [one[:-1] for one in rolls], [one[1:] for one in rolls]


if __name__ == "__main__":
    main(run, KNOWN)
