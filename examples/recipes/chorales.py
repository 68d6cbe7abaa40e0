"""Chorales of Bach, chord after chord: 229 to learn from, 76 to choose by, 77 to be tested on, in quarter notes.

Each chord is written as its notes from the highest to the lowest, a letter a pitch, and a line's end, and a language
model over letters learns them in all keys within 5 semitones. The negative log-likelihood of a step is the sum over its
letters, the line's end included, so it is that of the chord. Published figures are for another cutting into steps and
score every key of the piano by itself; they are near, and not the same quantity.
"""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections import Counter
from pathlib import Path

import torch
from recipe import Known, Result, main
from rich.console import Console

from loopcell import LanguageModel, cells
from loopcell.data import fetch
from loopcell.tasks import LanguageModelConfig, LanguageModelPlan, TextConfig, sample, train_language_model
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.training.config import Optimization, RunLength, TrainingConfig, Truncation

SETTINGS = {"cell": "lstm", "hidden_size": 256, "num_layers": 1, "embedding_size": 64, "dropout": 0.4, "epochs": 6}
LOWEST, TRANSPOSED = 36, range(-5, 6)
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
KNOWN = Known(
    "LSTM 8.45, GRU 8.43, RNN 8.91 nats a step, of another encoding",
    "Bai, Kolter, Koltun, 2018 (arXiv 1803.01271), table 1",
)


def run(small: bool) -> Result:
    """Train, score the test part's chords beside letters by their counts and by those before them, and sample."""
    parts = json.loads(fetch("jsb-chorales")["jsb-chorales-quarter.json"].read_text(encoding="utf-8"))
    if small:
        parts = {name: chorales[:4] for name, chorales in parts.items()}
    settings = {**SETTINGS, "hidden_size": 16, "epochs": 1} if small else SETTINGS
    shifts = (0,) if small else TRANSPOSED
    learned = [letters(chorale, shift) for chorale in parts["train"] for shift in shifts]
    with tempfile.TemporaryDirectory() as folder:
        held_out = [letters(chorale, 0) for chorale in parts["valid"]]
        model = train(written(Path(folder) / "train", learned), written(Path(folder) / "valid", held_out), settings)
    test = [letters(chorale, 0) for chorale in parts["test"]]
    steps = sum(text.count("\n") - 1 for text in test)
    nats = {
        "model": sum(nats_of(model, text) for text in test),
        "5-grams": ngram_nats(learned, test, 5),
        "letters by count": ngram_nats(learned, test, 1),
    }
    rows = {name: {"NLL a step": n / steps, "perplexity a step": math.exp(n / steps)} for name, n in nats.items()}
    table = ScoreTable(f"{len(test)} chorales, {steps:,} steps", rows)
    facts = {
        "steps": steps,
        "sample": chords("".join(sample(model, "\n", length=160, choice=SamplingConfig(), seed=1))),
    }
    print(" | ".join(facts["sample"]))
    return Result(dict(table.model), table, settings, facts)


def letters(chorale: list[list[int]], shift: int) -> str:
    """Return a chorale as text; the line's end at the start is what the first chord is predicted from."""
    lines = ("".join(letter(note + shift) for note in sorted(chord, reverse=True)) for chord in chorale)
    return "\n" + "".join(f"{line}\n" for line in lines)


def letter(note: int) -> str:
    """Return the letter of a MIDI note."""
    return chr(ord("0") + note - LOWEST)


def chords(text: str) -> list[str]:
    """Return the chords of a text by the names of their notes."""
    notes = ([ord(found) - ord("0") + LOWEST for found in line] for line in text.split("\n")[1:-1])
    return [" ".join(f"{NAMES[note % 12]}{note // 12 - 1}" for note in chord) for chord in notes]


def written(folder: Path, texts: list[str]) -> tuple[Path, ...]:
    """Return a file for each text."""
    folder.mkdir()
    paths = tuple(folder / f"{number:05}.txt" for number in range(len(texts)))
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def train(files: tuple[Path, ...], held_out: tuple[Path, ...], settings: dict[str, object]) -> LanguageModel:
    """Return the language model that fits the held-out chorales best."""
    sizes = {name: settings[name] for name in ("hidden_size", "num_layers", "embedding_size", "dropout")}
    plan = LanguageModelPlan(
        text=TextConfig(files=files, held_out_files=held_out),
        model=LanguageModelConfig(**sizes),
        training=TrainingConfig(
            truncation=Truncation(k1=100),
            optimization=Optimization(learning_rate=4e-3, schedule="cosine"),
            length=RunLength(epochs=settings["epochs"]),
            batch_size=32,
        ),
    )
    run = train_language_model(plan, cells.get(settings["cell"]), files[0].parents[1] / "run", Console(stderr=True)).run
    return LanguageModel.load(run.model)


@torch.no_grad()
def nats_of(model: LanguageModel, text: str) -> float:
    """Return the negative log-likelihood of a chorale, all of its letters after the first line's end."""
    ids = torch.from_numpy(model.vocabulary.encode(text, unknown="replace"))
    logits, _ = model(ids[:-1, None])
    return float(torch.nn.functional.cross_entropy(logits[:, 0], ids[1:], reduction="sum"))


def ngram_nats(learned: list[str], test: list[str], order: int) -> float:
    """Return the same by counts of n-grams, the longer ones mixed with the shorter (Witten and Bell, 1991)."""
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for text, length in itertools.product(learned, range(order)):
        for at in range(max(1, length), len(text)):
            gram = text[at - length : at + 1]
            counts[gram] += 1
            kinds[gram[:-1]] += counts[gram] == 1
            total[gram[:-1]] += 1
    nats = 0.0
    for text in test:
        for at in range(1, len(text)):
            chance = 1 / (kinds[""] + 1)
            for before in (text[at - length : at] for length in range(min(order, at + 1))):
                if total[before]:
                    chance = (counts[before + text[at]] + kinds[before] * chance) / (total[before] + kinds[before])
            nats -= math.log(chance)
    return nats


if __name__ == "__main__":
    main(run, KNOWN)
