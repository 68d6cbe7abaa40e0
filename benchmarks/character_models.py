"""Character models on real text: the held-out loss over time, beside the baselines.

python -m benchmarks.character_models shakespeare | nsmc-syllables | nsmc-jamo
"""

from __future__ import annotations

import csv
import gzip
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import data_folder
from benchmarks.results import RESULTS, heading, write
from loopcell import LanguageModel
from loopcell.training.run_folder import RunFolder

REVIEWS = 40_000  # of 150,000: enough for a figure, and a run stays below half an hour


@dataclass(frozen=True)
class Experiment:
    """One model on one text."""

    text: str
    prime: str
    settings: Mapping[str, Any]
    known: dict[str, Any] = field(default_factory=dict)


# AdamW, cosine schedule, clipping at 1.
USUAL = {"cell": "lstm", "num_layers": 1, "batch_size": 64, "learning_rate": 4e-3, "random_state": 1}

EXPERIMENTS = {
    "shakespeare": Experiment(
        text="shakespeare",
        prime="ROMEO:\n",
        settings={**USUAL, "tokens": "char", "hidden_size": 512, "embedding_size": 128, "epochs": 5, "chunk": 128},
        known={"torch.nn.LSTM of 512, nats a character, settings not stated": {"3 passes": 1.51, "5 passes": 1.45}},
    ),
    "nsmc-syllables": Experiment(
        text="nsmc",
        prime="이 영화는 ",
        settings={**USUAL, "tokens": "char", "hidden_size": 384, "embedding_size": 128, "epochs": 4, "chunk": 64},
    ),
    "nsmc-jamo": Experiment(
        text="nsmc",
        prime="이 영화는 ",
        settings={**USUAL, "tokens": "jamo", "hidden_size": 384, "embedding_size": 64, "epochs": 2, "chunk": 128},
    ),
}


def write_text(text: str, folder: Path) -> Path:
    """Return the text of an experiment as a plain file."""
    if text == "shakespeare":
        return data_folder() / "tinyshakespeare" / "input.txt"
    with gzip.open(data_folder() / "nsmc" / "ratings_train.txt.gz", "rt", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        reviews = [row["document"] for row, _ in zip(rows, range(REVIEWS), strict=False)]
    path = folder / "reviews.txt"
    path.write_text("".join(f"{review}\n" for review in reviews), encoding="utf-8")
    return path


def run(name: str) -> dict[str, Any]:
    """Train, and return the figures."""
    experiment = EXPERIMENTS[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(Path(scratch) / "run")
        model = LanguageModel(**experiment.settings, progress=True)
        started = time.monotonic()
        model.fit(write_text(experiment.text, Path(scratch)), run=folder.path)
        seconds = time.monotonic() - started
        with folder.metrics.open() as file:
            curve = [row for row in csv.DictReader(file) if row["validation_loss"]]
    score = model.held_out_
    if score is None:
        raise SystemExit("nothing was held out")
    network = model.network_
    return {
        "command": f"python -m benchmarks.character_models {name}",
        "settings": dict(experiment.settings),
        "path": str(network.recurrent.plan()[0]),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "vocabulary": len(model.vocabulary_),
        "seconds": round(seconds, 1),
        "held_out": {
            "text": score.data,
            "nats_per_character": round(score.model["nats/char"], 4),
            "bits_per_character": round(score.model["bits/char"], 4),
            "perplexity_per_token": round(score.model["perplexity/token"], 3),
            "unigram_bits_per_character": round(score.rows["unigram"]["bits/char"], 4),
            "lzma_bits_per_character": round(score.rows["lzma"]["bits/char"], 4),
        },
        "known": experiment.known,
        "curve": [
            {
                "epoch": int(row["epoch"]),
                "seconds": round(float(row["seconds"]), 1),
                "nats_per_token": round(float(row["validation_loss"]), 4),
            }
            for row in curve
        ],
        "sample": model.sample(experiment.prime, length=300, temperature=0.7, seed=1),
    }


def draw(name: str, figures: dict[str, Any]) -> None:
    """Draw the held-out loss over time as `results/NAME.png`."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    minutes = [point["seconds"] / 60 for point in figures["curve"]]
    axes.plot(minutes, [point["nats_per_token"] for point in figures["curve"]], marker="o", color="#1f6f8b")
    axes.set(xlabel="minutes", ylabel="held-out nats a token", title=name)
    axes.grid(alpha=0.3)
    figure.savefig(RESULTS / f"{name}.png", dpi=120)


def main() -> None:
    """Run the named experiment."""
    if len(sys.argv) != 2 or sys.argv[1] not in EXPERIMENTS:
        raise SystemExit(f"usage: python -m benchmarks.character_models {' | '.join(EXPERIMENTS)}")
    name = sys.argv[1]
    figures = run(name)
    draw(name, figures)
    print(figures["sample"])
    print(figures["held_out"])
    about = {"day": datetime.now(UTC).date().isoformat(), **heading(threads=torch.get_num_threads())}
    write(RESULTS / f"{name}.json", about | figures)
    print(f"written: {RESULTS / name}.json")


if __name__ == "__main__":
    main()
