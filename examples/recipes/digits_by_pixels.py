"""Digits pixel by pixel: an image of MNIST as 784 steps of one brightness, row after row from the top; three cells.

Le, Jaitly, Hinton: A Simple Way to Initialize Recurrent Networks of Rectified Linear Units, 2015. The label is read
from the last state. The gates begin with time scales up to the length of the sequence (`chrono`), and so learn far
sooner; an RNN has no gates to do this with.
"""

from __future__ import annotations

import time

import numpy as np
from recipe import Known, Result, main

from loopcell import ScoreTable, SequenceClassifier
from loopcell.data import ImagePixels, fetch, read

SETTINGS = {
    "random_state": 1,
    "hidden_size": 64,
    "pooling": "last",
    "epochs": 6,
    "patience": None,
    "batch_size": 64,
    "learning_rate": 8e-3,
    "validation_fraction": 0.05,
}
CELLS: dict[str, dict[str, int]] = {"gru": {"chrono": 784}, "lstm": {"chrono": 784}, "rnn": {}}
KNOWN = Known(
    "LSTM 87.2%, GRU 96.2%, RNN 21.5% (70,000 weights each)",
    "Bai, Kolter, Koltun, 2018 (arXiv 1803.01271), table 1",
)


def run(small: bool) -> Result:
    """Train each cell on the 60,000 and score it on the 10,000."""
    files = fetch("mnist")
    learned, test = (
        images(files[f"{name}-images-idx3-ubyte"], files[f"{name}-labels-idx1-ubyte"], 300 if small else 1)
        for name in ("train", "t10k")
    )
    settings = {**SETTINGS, "hidden_size": 8, "epochs": 1} if small else SETTINGS
    rows: dict[str, dict[str, float]] = {}
    spent: dict[str, float] = {}
    for cell, own in CELLS.items():
        began = time.process_time()
        told = settings | own
        model = SequenceClassifier(cell=cell, **told, features=ImagePixels(28, 28), progress=True).fit(*learned)
        table = model.evaluate(*test, training=None if rows else learned)
        spent[cell] = round(time.process_time() - began, 1)
        rows[cell if rows else "model"] = dict(table.model)
        rows |= {name: dict(row) for name, row in table.rows.items() if name != "model"}
        print(f"{cell}: accuracy {table.model['accuracy']:.4f} in {spent[cell]} s of processor time")
    table = ScoreTable(f"{len(test[0]):,} images, 784 steps each (the model is a GRU)", rows)
    facts = {"examples": {"training": len(learned[0]), "test": len(test[0])}, "processor seconds": spent}
    return Result(dict(table.model), table, {**settings, "cells": CELLS}, facts)


def images(pixels: object, labels: object, every: int) -> tuple[list[np.ndarray], list[int]]:
    """Return bytes [28, 28] of every so many images, and the digits."""
    X, y = read(pixels).column("values"), read(labels).column("values")
    return list(X)[::every], [int(label) for label in y][::every]


if __name__ == "__main__":
    main(run, KNOWN)
