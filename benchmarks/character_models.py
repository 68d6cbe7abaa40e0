"""Character models on real text: the held-out loss over time, beside the baselines.

python -m benchmarks.character_models shakespeare | nsmc-syllables | nsmc-jamo
"""

from __future__ import annotations

import csv
import gzip
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.machine import data_folder
from benchmarks.results import RESULTS, heading, write
from loopcell import LanguageModel, cells
from loopcell.tasks import LanguageModelConfig, LanguageModelPlan, TextConfig, sample, train_language_model
from loopcell.tasks.core.config import SamplingConfig
from loopcell.training import Optimization, RunLength, TrainingConfig, Truncation

REVIEWS = 40_000  # of 150,000: enough for a figure, and a run stays below half an hour


@dataclass(frozen=True)
class Experiment:
    """One model on one text."""

    text: str
    tokens: str
    prime: str
    model: LanguageModelConfig
    training: TrainingConfig
    cell: str = "lstm"
    known: dict[str, Any] = field(default_factory=dict)


def training(epochs: int, batch_size: int, chunk: int, rate: float) -> TrainingConfig:
    """Return the settings of training: AdamW, cosine schedule, clipping at 1."""
    return TrainingConfig(
        truncation=Truncation(k1=chunk),
        optimization=Optimization(learning_rate=rate),
        length=RunLength(epochs=epochs),
        batch_size=batch_size,
    )


EXPERIMENTS = {
    "shakespeare": Experiment(
        text="shakespeare",
        tokens="char",
        prime="ROMEO:\n",
        model=LanguageModelConfig(hidden_size=512, num_layers=1, embedding_size=128),
        training=training(epochs=5, batch_size=64, chunk=128, rate=4e-3),
        known={"torch.nn.LSTM of 512, nats a character, settings not stated": {"3 passes": 1.51, "5 passes": 1.45}},
    ),
    "nsmc-syllables": Experiment(
        text="nsmc",
        tokens="char",
        prime="이 영화는 ",
        model=LanguageModelConfig(hidden_size=384, num_layers=1, embedding_size=128),
        training=training(epochs=4, batch_size=64, chunk=64, rate=4e-3),
    ),
    "nsmc-jamo": Experiment(
        text="nsmc",
        tokens="jamo",
        prime="이 영화는 ",
        model=LanguageModelConfig(hidden_size=384, num_layers=1, embedding_size=64),
        training=training(epochs=2, batch_size=64, chunk=128, rate=4e-3),
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
        text = TextConfig(files=(write_text(experiment.text, Path(scratch)),), tokens=experiment.tokens)
        plan = LanguageModelPlan(text=text, model=experiment.model, training=experiment.training)
        started = time.monotonic()
        trained = train_language_model(plan, cells.get(experiment.cell), Path(scratch) / "run", Console())
        seconds = time.monotonic() - started
        with trained.run.metrics.open() as file:
            curve = [row for row in csv.DictReader(file) if row["validation_loss"]]
        model = LanguageModel.load(trained.run.model)
        choice = SamplingConfig(temperature=0.7)
        written = "".join(sample(model, experiment.prime, length=300, choice=choice, seed=1))
    score = trained.score
    if score is None:
        raise SystemExit("nothing was held out")
    return {
        "command": f"python -m benchmarks.character_models {name}",
        "cell": experiment.cell,
        "tokens": experiment.tokens,
        "path": str(model.recurrent.plan()[0]),
        "model": experiment.model.model_dump(),
        "training": experiment.training.model_dump(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "vocabulary": len(model.vocabulary),
        "seconds": round(seconds, 1),
        "held_out": {
            "characters": score.facts.units,
            "tokens": score.tokens,
            "nats_per_character": round(score.nats, 4),
            "bits_per_character": round(score.bits, 4),
            "perplexity_per_token": round(score.perplexity, 3),
            "unigram_bits_per_character": round(score.unigram_bits, 4),
            "lzma_bits_per_character": round(score.lzma_bits, 4),
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
        "sample": written,
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
