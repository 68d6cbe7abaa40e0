"""Run by torchrun in test_processes.py: the toy on two processes, each with half of the lanes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.training.toy import Diary, ToyChunks, config, make_step, make_trainer, weights


def trainer_of(folder, updates, dropout=0.0, observers=()):
    """Lanes 2r and 2r + 1 of four for rank r; the held-out lanes are shared out likewise."""
    rank = int(os.environ["RANK"])
    mine = slice(2 * rank, 2 * rank + 2)
    settings = config(batch_size=2, length={"updates": updates}, rhythm={"save_every": 3}, optimization={"clip": 0.1})
    return make_trainer(
        folder,
        settings,
        step=make_step(dropout),
        chunks=ToyChunks(60, 4, 8, columns=mine),
        validation=ToyChunks(16, 2, 8, seed=1, columns=slice(rank, rank + 1)),
        observers=observers,
    )


def main(folder: Path) -> None:
    """Train without dropout; with dropout in one go; with dropout in two."""
    diary = Diary()
    plain = trainer_of(folder / "plain", 10, observers=[diary])
    outcome = plain.fit()
    whole = trainer_of(folder / "whole", 10, dropout=0.5)
    whole.fit()
    trainer_of(folder / "cut", 6, dropout=0.5).fit()
    cut = trainer_of(folder / "cut", 10, dropout=0.5)
    cut.resume()
    cut.fit()
    rank = cut._fabric.global_rank
    tensors = {
        f"{name}/{key}": value
        for name, trainer in (("plain", plain), ("whole", whole), ("cut", cut))
        for key, value in weights(trainer).items()
    }
    tensors["held_out"] = torch.tensor(outcome.position.best_loss)
    tensors["norms"] = torch.tensor([report.gradient_norm for report in diary.reports])
    save_file(tensors, folder / f"rank{rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
