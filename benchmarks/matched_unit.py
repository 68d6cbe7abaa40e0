"""Train a model of characters, find the unit that tracks something that has a name, and score it on held-out text.

python -m benchmarks.matched_unit [FOLDER], into results/matched_unit.json and docs/images/match-*.png

A two-layer LSTM of 128 units learns from the first nine tenths of tinyshakespeare, and one from 15,000 reviews of NSMC
in jamo. The states of text that they never saw are stored; every unit is scored against labels of each step (inside a
speaker's name, the position in a line, ...) on the first half of that text, and the best one once more on the second
half. Beside it stands the score of each step's token alone, which remembers nothing. Needs the public data
(LOOPCELL_DATA); the pictures need `pip install playwright` and a chromium on the path. About ten minutes on one core.
With a FOLDER the models are kept there, and taken up from there when the figures are made again.
"""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.insight import BROWSER
from benchmarks.machine import data_folder
from benchmarks.results import RESULTS, heading, read, write
from loopcell import LanguageModel
from loopcell.insight import CorpusText, Inspection, Pattern, StateStore, Tracking, match, store_states, track

IMAGES = Path(__file__).parents[1] / "docs" / "images"
USUAL = {"cell": "lstm", "num_layers": 2, "hidden_size": 128, "batch_size": 32, "chunk": 128, "learning_rate": 4e-3}
USUAL |= {"validation_fraction": 0.05, "random_state": 1, "progress": True}


@dataclass(frozen=True)
class Experiment:
    """A model, text that it never saw, and what a unit may track there.

    Attributes:
        texts: gives the text to learn from and the text to look through.
        settings: of the model, beside the usual ones.
        labels: what is looked for, by its name: how steps are labelled ("inside" or "since") and a regular expression.
        shown: a text to inspect, and the part of it that is looked for elsewhere.
        quantity: whose units are looked for, in the last layer.
        language: of the page in the picture.
        course: a part of the text to look through, at which the unit of the first label is shown step by step.
    """

    texts: Callable[[], tuple[str, str]]
    settings: Mapping[str, Any]
    labels: Mapping[str, tuple[str, str]]
    shown: tuple[str, str]
    quantity: str
    language: str
    course: str = ""


def shakespeare() -> tuple[str, str]:
    """Return the first nine tenths of tinyshakespeare and the last."""
    text = (data_folder() / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    cut = round(0.9 * len(text))
    return text[:cut], text[cut:]


def reviews() -> tuple[str, str]:
    """Return reviews of NSMC, a line each: 15,000 of the training set and 1,500 of the test set."""
    return _reviews("train", 15_000), _reviews("test", 1_500)


def _reviews(part: str, count: int) -> str:
    with gzip.open(data_folder() / "nsmc" / f"ratings_{part}.txt.gz", "rt", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return "".join(f"{row['document']}\n" for row in islice(rows, count))


SPEECH = """ROMEO:
It was the nightingale, and not the lark,
That pierced the fearful hollow of thine ear.

JULIET:
Then, window, let day in, and let life out.

ROMEO:
Farewell, farewell! one kiss, and I'll descend.
"""
REVIEW = "배우들 연기가 너무 좋아서 (특히 주인공) 두 번 봤어요ㅋㅋㅋ 정말 재미있는 영화입니다!!\n"

EXPERIMENTS = {
    "shakespeare": Experiment(
        texts=shakespeare,
        settings={"epochs": 10},
        labels={
            "inside a speaker's name": ("inside", r"(?<=\n\n)[^:\n]+:"),
            "position in a line": ("since", r"\n"),
            "inside quotes": ("inside", r"(?<!\w)'[^'\n]{8,}'"),
        },
        shown=(SPEECH, "JULIET:"),
        quantity="c",
        language="en-GB",
        course="below.\n\nANTONIO:\nWhere",
    ),
    "nsmc": Experiment(
        texts=reviews,
        settings={"tokens": "jamo", "epochs": 5},
        labels={
            "past the first syllable of a word": ("inside", r"(?<=\s\S)\S+"),
            "in the first word after a sentence": ("inside", r"(?<=[.!?~ㅋㅎ]) \S+"),
            "inside parentheses or quotes": ("inside", r"\([^()\n]+\)|\"[^\"\n]+\"|'[^'\n]+'"),
            "in laughter or tears: ㅋㅋ, ㅎㅎ, ㅠㅠ": ("inside", r"[ㅋㅎㅠㅜ]{2,}"),
        },
        shown=(REVIEW, "ㅋㅋㅋ"),
        quantity="h",
        language="ko-KR",
    ),
}


def run(name: str, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Train, store, track and match, and return the figures."""
    training, unseen = experiment.texts()
    model, facts = _trained(folder / name, training, {**USUAL, **experiment.settings})
    began = time.process_time()
    store = store_states(model, unseen, folder / f"{name}.arrow")
    stored = time.process_time() - began
    text = CorpusText.of_store(store)
    found, looked = _matched(model, store, experiment)
    picture(found, name, experiment.language)
    tracked = {name: _tracked(store, text, *label) for name, label in experiment.labels.items()}
    first = next(iter(tracked.values()))["unit"]
    return {
        **facts,
        "states": {
            "steps": len(store),
            "numbers a step": sum(store.columns.values()),
            "megabytes": round((folder / f"{name}.arrow").stat().st_size / 1e6, 1),
            "steps a CPU second": round(len(store) / stored),
        },
        "tracked": tracked,
        "matched": looked,
        "course": _course(model, unseen, experiment.course, first) if experiment.course else None,
    }


def _trained(path: Path, text: str, settings: Mapping[str, Any]) -> tuple[LanguageModel, dict[str, Any]]:
    """Return a model and how it was trained; that of the folder, where it was trained with the same settings."""
    model_file, facts_file = path.with_suffix(".safetensors"), path.with_suffix(".json")
    if facts_file.exists() and (facts := read(facts_file))["settings"] == settings:
        return LanguageModel.load(model_file), facts
    began = time.monotonic()
    model = LanguageModel(**settings).fit(text)
    score = model.held_out_
    training = {"seconds": round(time.monotonic() - began, 1), "held out": None if score is None else score.model}
    model.save(model_file)
    write(facts_file, {"settings": settings, "training": training})
    return model, {"settings": settings, "training": training}


def _tracked(store: StateStore, text: CorpusText, how: str, expression: str) -> dict[str, Any]:
    began = time.process_time()
    found: Tracking = track(store, getattr(text, how)(expression))
    best = found.best
    return {
        "label": f"{how} {expression}",
        "measure": found.measure,
        "unit": str(best),
        "first half": round(best.score, 4),
        "second half, held out": round(best.held_out, 4),
        "token alone, held out": round(found.by_token, 4),
        "steps": found.steps,
        "share of steps": found.share,
        "CPU seconds": round(time.process_time() - began, 2),
    }


def _course(model: LanguageModel, text: str, part: str, unit: str) -> dict[str, Any]:
    """Return what a unit of an LSTM does at each step of a part of a text, read from 400 characters before it."""
    start = text.index(part)
    seen = model.inspect(text[max(0, start - 400) : start + len(part)])
    layer, number = map(int, re.findall(r"\d+", unit))
    values = {name: seen[name][layer][-len(part) :, number] for name in "cfig"}
    return {"steps": part, **{name: [round(float(each), 2) for each in value] for name, value in values.items()}}


def _matched(model: LanguageModel, store: StateStore, experiment: Experiment) -> tuple[Inspection, dict[str, Any]]:
    """Look for the pattern of a part of the shown text, and return the inspection with the places."""
    shown, wanted = experiment.shown
    place = CorpusText.of([text for part in model.corpus_states(shown) for text in part.texts]).find(wanted)
    assert place is not None  # it is a part of the text
    seen = model.inspect(shown)
    pattern = Pattern.of(seen, *place, quantity=experiment.quantity)
    began = time.process_time()
    found = match(store, pattern)
    seconds = time.process_time() - began
    return seen.with_matches(found), {
        "of": wanted,
        "pattern": str(pattern),
        "places": found.count,
        "best": ["|".join(place.parts()) + f" {place.score:.2f}" for place in found.found],
        "steps a CPU second": round(len(store) / seconds),
    }


def picture(seen: Inspection, name: str, language: str) -> None:
    """Take a picture of the page, with the first place open."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "page.html"
        seen.save(path)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        page = browser.new_page(viewport={"width": 1200, "height": 1500}, locale=language)
        page.goto(path.as_uri())
        page.wait_for_selector(".legend .bar")
        page.click(".matches summary >> nth=1")
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / f"match-{name}.png")
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        results = {name: run(name, experiment, kept) for name, experiment in EXPERIMENTS.items()}
    about = {"day": datetime.now(UTC).date().isoformat(), **heading(threads=torch.get_num_threads())}
    write(RESULTS / "matched_unit.json", about | {"command": "python -m benchmarks.matched_unit"} | results)
