"""Spoken digits and speech or silence in C, over recordings: the same answers as in Python, and what they cost.

python -m benchmarks.exported_sounds [--small]

A classifier of spoken digits and a tagger of speech or silence are trained on the Free Spoken Digit Dataset (the
official test part is what ends in _0 to _4), read one way, in log-mel bands of 25 ms every 10 ms. Each is exported to C
with weights in float32 and in int8, compiled, and run over the WAV files of the test part by the program that stands
beside the export. A file's answer is the last one; of a tagger all frames count.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from benchmarks.results import RESULTS, heading, write
from loopcell import SequenceClassifier, SequenceTagger
from loopcell.backends.c.toolchain.target import target
from loopcell.data import LogMel, fetch
from loopcell.export import CForm, CReport, to_c

RATE = 8_000
BANDS = LogMel(RATE)
WEIGHTS = ("float32", "int8")
SETTINGS: dict[str, Any] = {"cell": "gru", "hidden_size": 64, "dropout": 0.2, "learning_rate": 3e-3, "random_state": 1}
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Train, export, run over the files, print and write."""
    small = "--small" in sys.argv[1:]
    paths = sorted(fetch("fsdd")["recordings"].glob("*.wav"))
    test = [path for path in paths if int(path.stem.split("_")[2]) <= 4]
    learned = [path for path in paths if int(path.stem.split("_")[2]) > 4]
    if small:
        test, learned = test[::20], learned[::20]
    figures = {"digits": digits(learned, test, small), "speech or silence": speech(learned, test, small)}
    for task, rows in figures.items():
        for weights, row in rows.items():
            print(f"{task}, {weights}: " + ", ".join(f"{name} {value}" for name, value in row.items()))
    if not small:
        write(RESULTS / "exported_sounds.json", {**heading(settings=SETTINGS, files=len(test)), "figures": figures})


def digits(learned: list[Path], test: list[Path], small: bool) -> dict[str, dict[str, Any]]:
    """Return what the classifier in C says of files, for each kind of weights."""
    model = SequenceClassifier(**SETTINGS, features=BANDS, pooling="mean", epochs=2 if small else 30)
    model.fit(learned, [path.stem[0] for path in learned])
    true = np.array([path.stem[0] for path in test])
    expected = model.predict_proba(test)

    def figures(answers: list[Floats]) -> dict[str, Any]:
        found = np.stack([one[-1] for one in answers])
        return {
            "accuracy": float((model.classes_[found.argmax(1)] == true).mean()),
            "accuracy in Python": float((model.classes_[expected.argmax(1)] == true).mean()),
            **compared(found, expected),
        }

    return {weights: exported(model, "digits", weights, test, figures) for weights in WEIGHTS}


def speech(learned: list[Path], test: list[Path], small: bool) -> dict[str, dict[str, Any]]:
    """Return what the tagger in C says of frames, for each kind of weights."""
    X, y = streams(learned, 60 if small else 400, 1)
    model = SequenceTagger(**SETTINGS, features=BANDS, epochs=2 if small else 12, batch_size=16).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        sounds, labels = streams(test, 5 if small else 60, 2)
        files = [Path(folder) / f"{number}.wav" for number in range(len(sounds))]
        for file, samples in zip(files, sounds, strict=True):
            soundfile.write(file, samples, RATE, subtype="PCM_16")
        expected = np.concatenate(model.predict_proba(files))
        true = np.concatenate([np.array(one) for one in labels])

        def figures(answers: list[Floats]) -> dict[str, Any]:
            found = np.concatenate(answers)
            return {
                "accuracy": float((model.classes_[found.argmax(1)] == true).mean()),
                "accuracy in Python": float((model.classes_[expected.argmax(1)] == true).mean()),
                **compared(found, expected),
            }

        return {weights: exported(model, "speech", weights, files, figures) for weights in WEIGHTS}


def compared(found: Floats, expected: Floats) -> dict[str, Any]:
    """Return how far probabilities [N, K] are from those of Python, and how many answers are the same."""
    return {
        "answers": len(found),
        "same answers": int((found.argmax(1) == expected.argmax(1)).sum()),
        "largest difference of a probability": float(np.abs(found - expected).max()),
    }


def exported(model: Any, name: str, weights: str, files: list[Path], figures: Any) -> dict[str, Any]:
    """Export a model, compile it, run it over files, and return what comes of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        report: CReport = to_c(model, out, name=name, form=CForm(weights=weights))
        chosen = target()
        assert chosen is not None  # or nothing would have been exported
        command = ["make", "-s", f"{name}_wav", f"CC={' '.join(chosen.command)}"]
        subprocess.run(command, cwd=out, check=True)
        found = figures([said(out / f"{name}_wav", file) for file in files])
    return {
        **found,
        "flash, bytes": report.weight_bytes + (report.code_bytes or 0),
        "RAM, bytes": report.state_bytes + (report.stack_bytes or report.buffer_bytes),
        "multiply-adds a step": report.multiply_adds,
    }


def said(program: Path, file: Path) -> Floats:
    """Return what the program says of a file, a row for each answer."""
    done = subprocess.run([program, file], capture_output=True, text=True, check=True)
    return np.array([[float(word) for word in line.split()[1:]] for line in done.stdout.splitlines()])


def streams(paths: list[Path], count: int, seed: int) -> tuple[list[npt.NDArray[np.float32]], list[list[str]]]:
    """Return sounds of 4 seconds, digits between pauses under white noise, and whether each frame has speech."""
    drawn = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        samples = drawn.normal(0, drawn.uniform(0.0005, 0.01), 4 * RATE).astype(np.float32)
        speaking, place = np.zeros(4 * RATE, bool), int(drawn.uniform(0.1, 1.0) * RATE)
        for at in drawn.integers(0, len(paths), 5):
            digit = soundfile.read(paths[at], dtype="float32")[0]
            if place + len(digit) > len(samples):
                break
            samples[place : place + len(digit)] += digit
            speaking[place : place + len(digit)] = True
            place += len(digit) + int(drawn.uniform(0.1, 0.8) * RATE)
        samples = np.round(samples.clip(-1, 1) * 32767).astype(np.int16)  # as a WAV file has them
        frames = len(BANDS(samples))
        middles = np.minimum(np.arange(frames) * BANDS.step + BANDS.width // 2, len(speaking) - 1)
        X.append(samples)
        y.append(np.where(speaking[middles], "speech", "silence").tolist())
    return X, y


if __name__ == "__main__":
    main()
