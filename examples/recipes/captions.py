"""A picture of several digits to its number in words: strips of MNIST's digits, "삼백십사" for 3, 1, 4.

The recipe puts one to four digits side by side, at half their size and each moved a little. A tenth of all numbers from
0 to 9999 are kept for the test: half of its strips show such a number, whose word no training strip has. Strips for
training are made of the 60,000 images, strips for the test of the 10,000.
"""

from __future__ import annotations

import numpy as np
from recipe import Models, Result, main

from loopcell import Captioner, ScoreTable
from loopcell.data import fetch, read

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 128,
    "embedding_size": 32,
    "dropout": 0.2,
    "epochs": 10,
    "batch_size": 32,
    "learning_rate": 2e-3,
    "warmup": 100,
    "patience": 5,
    "label_smoothing": 0.0,
}
DIGITS = "영일이삼사오육칠팔구"
UNITS = ("천", "백", "십", "")
SIDE, MOST = 14, 4
STRIPS = {"train": 60_000, "t10k": 2_000}


def run(small: bool) -> Result:
    """Train on strips of training images; exact match on strips of test images, with numbers seen and unseen."""
    drawn = np.random.default_rng(1)
    kept = np.zeros(10**MOST, dtype=np.bool_)
    kept[drawn.permutation(10**MOST)[: 10 ** (MOST - 1)]] = True
    files = fetch("mnist")
    every = 100 if small else 1
    learned, test = (
        strips(*images(files, part), (np.flatnonzero(~kept), np.flatnonzero(kept)), part, count // every)
        for part, count in STRIPS.items()
    )
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 1} if small else SETTINGS
    model, _ = Models.fitted(Captioner(**settings, progress=True), *learned[:2])
    rows = {}
    for name, chosen in (("model", test[2] >= 0), ("unseen numbers", test[2] == 1), ("seen numbers", test[2] == 0)):
        X, y = ([part[at] for at in np.flatnonzero(chosen)] for part in test[:2])
        table = model.evaluate(X, y, training=learned[:2])
        rows[name] = dict(table.model)
        rows.setdefault("most frequent", dict(table.rows["most frequent"]))
    figures = {"exact match": rows["model"]["exact match"], **rows["model"]}
    written = model.predict(test[0][:10])
    samples = [{"true": true, "written": text} for true, text in zip(test[1][:10], written, strict=True)]
    facts = {"samples": samples, "strips": {"training": len(learned[0]), "test": len(test[0])}}
    return Result(figures, ScoreTable(f"{len(test[0]):,} strips of test images", rows), settings, facts)


def images(files: object, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images [N, 14, 14] as bytes, each pixel the mean of four of MNIST's, and their digits [N]."""
    pixels = np.stack(list(read(files[f"{part}-images-idx3-ubyte"]).column("values")))
    halved = pixels.reshape(len(pixels), SIDE, 2, SIDE, 2).mean((2, 4)).astype(np.uint8)
    return halved, np.array([int(label) for label in read(files[f"{part}-labels-idx1-ubyte"]).column("values")])


def strips(
    pixels: np.ndarray, digits: np.ndarray, numbers: tuple[np.ndarray, np.ndarray], part: str, count: int
) -> tuple[list[np.ndarray], list[str], np.ndarray]:
    """Return strips [14, 70] of bytes, the numbers in words, and whether a number is one of those kept for the test."""
    drawn = np.random.default_rng([2, len(pixels)])
    by_digit = [np.flatnonzero(digits == digit) for digit in range(10)]
    X, y, kept = [], [], np.zeros(count, dtype=np.int64)
    for at in range(count):
        kept[at] = part != "train" and at % 2
        number = int(drawn.choice(_of_any_length(numbers[kept[at]], drawn)))
        strip, left = np.zeros((SIDE, SIDE * (MOST + 1)), dtype=np.uint8), int(drawn.integers(0, 6))
        for digit in str(number):
            place = strip[:, left : left + SIDE]
            np.maximum(place, pixels[drawn.choice(by_digit[int(digit)])], out=place)
            left += SIDE - int(drawn.integers(0, 3))
        X.append(strip)
        y.append(in_words(number))
    return X, y, kept


def _of_any_length(numbers: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    """Return those of 3 or 4 digits mostly, but also those of fewer, which are few."""
    length = int(drawn.choice([1, 2, 3, 4], p=[0.05, 0.15, 0.4, 0.4]))
    some = numbers[(numbers >= (10 ** (length - 1) if length > 1 else 0)) & (numbers < 10**length)]
    return some if len(some) else numbers


def in_words(number: int) -> str:
    """Return a number below 10,000 as Korean reads it: 1 is left out before 천, 백 and 십."""
    if number == 0:
        return DIGITS[0]
    found = ""
    for digit, unit in zip(f"{number:04d}", UNITS, strict=True):
        if digit != "0":
            found += ("" if digit == "1" and unit else DIGITS[int(digit)]) + unit
    return found


if __name__ == "__main__":
    main(run)
