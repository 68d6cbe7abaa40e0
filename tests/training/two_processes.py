"""Run by torchrun in test_processes.py: the toy on two processes, each with half of the lanes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.training.toy import Diary, ToyChunks, config, make_step, make_trainer, weights

# What is compared with one process: the truncation, and the target that does not count. With such a target the
# processes have different numbers of predictions.
JOBS = {
    "plain": ({"k1": 8}, -100),
    "long": ({"k1": 8, "k2": 24, "accumulate": 2}, -100),
    "short": ({"k1": 8, "k2": 4}, -100),
    "uneven": ({"k1": 8, "accumulate": 2}, 4),
}


def settings_of(job, batch_size, updates):
    settings = config(
        batch_size=batch_size,
        truncation=JOBS[job][0],
        length={"updates": updates},
        rhythm={"save_every": 3},
        optimization={"clip": 0.1},
    )
    return settings, ToyChunks(60, 4, settings.truncation.chunk), ToyChunks(16, 2, 8, seed=1)


def trainer_of(folder, job="plain", updates=10, dropout=0.0, observers=()):
    """Lanes 2r and 2r + 1 of four for rank r; the held-out lanes are shared out likewise."""
    rank = int(os.environ["RANK"])
    settings, chunks, held_out = settings_of(job, 2, updates)
    step = make_step(dropout, JOBS[job][1])
    chunks, held_out = chunks.part(2 * rank, 2), held_out.part(rank, 1)
    return make_trainer(folder, settings, step=step, chunks=chunks, validation=held_out, observers=observers)


def main(folder: Path) -> None:
    """Each job without dropout; then with dropout, in one go and in two."""
    tensors = {}
    for job in JOBS:
        diary = Diary()
        trainer = trainer_of(folder / job, job, observers=[diary])
        outcome = trainer.fit()
        tensors |= {f"{job}/weights/{name}": value for name, value in weights(trainer).items()}
        tensors[f"{job}/held_out"] = torch.tensor(outcome.position.best_loss)
        tensors[f"{job}/norms"] = torch.tensor([report.gradient_norm for report in diary.reports])
    whole = trainer_of(folder / "whole", dropout=0.5)
    whole.fit()
    trainer_of(folder / "cut", updates=6, dropout=0.5).fit()
    cut = trainer_of(folder / "cut", dropout=0.5)
    cut.resume()
    cut.fit()
    for name, trainer in (("whole", whole), ("cut", cut)):
        tensors |= {f"{name}/weights/{key}": value for key, value in weights(trainer).items()}
    save_file(tensors, folder / f"rank{os.environ['RANK']}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
