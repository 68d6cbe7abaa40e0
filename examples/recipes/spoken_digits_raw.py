"""Spoken digits from raw samples: 8,000 numbers a second, in chunks, with the state carried from one to the next.

No spectrum is computed: a step is 16 samples (2 ms) as they are. The network is trained by truncated backpropagation: a
recording is cut into chunks, each chunk begins with the state in which the one before ended, and each is asked for the
digit. The answer that counts is the one after the last sample. The same path at 44,100 Hz: a recording is resampled,
written to a file, read chunk by chunk, sample by sample, and the state after it has to be that of the whole.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from recipe import Result, main
from torch import Tensor, nn

from loopcell import Recurrent, ScoreTable, State, cells
from loopcell.data import Batches, RawAudio, audio_chunks, fetch, pad, read_audio

SETTINGS = {
    "cell": "gru",
    "hidden_size": 128,
    "samples_a_step": 16,
    "steps_a_chunk": 64,
    "epochs": 30,
    "batch_size": 32,
    "learning_rate": 3e-3,
    "dropout": 0.2,
}


Carried = tuple[State, Tensor]


class Listener(nn.Module):
    """A stack of two layers over raw samples, and a digit read from its largest outputs so far."""

    def __init__(self, settings: dict[str, object]) -> None:
        super().__init__()
        self.recurrent = Recurrent(
            cells.get(str(settings["cell"])),
            input_size=int(settings["samples_a_step"]),
            hidden_size=int(settings["hidden_size"]),
            num_layers=2,
            dropout=float(settings["dropout"]),
        )
        self.head = nn.Linear(self.recurrent.output_size, 10)

    def forward(self, chunk: Tensor, lengths: Tensor, carried: Carried | None) -> tuple[Tensor, Carried]:
        """Return scores [B, 10] after a chunk [T, B, I], and what the next goes on from: state and largest outputs."""
        state, largest = carried or (None, None)
        outputs, state = self.recurrent(chunk, state, lengths=lengths)
        there = torch.arange(len(chunk))[:, None] < lengths
        seen = outputs.masked_fill(~there[:, :, None], -1.0).amax(0)  # a GRU's outputs lie above -1
        largest = seen if largest is None else torch.maximum(largest, seen)
        return self.head(largest), (state, largest)


def run(small: bool) -> Result:
    """Train on what ends in _5 to _49, score on the rest, and prove the path at 44,100 Hz."""
    settings = {**SETTINGS, "hidden_size": 8, "epochs": 1} if small else SETTINGS
    torch.manual_seed(1)
    paths = sorted(fetch("fsdd")["recordings"].glob("*.wav"))
    parts = [[path for path in paths if (int(path.stem.split("_")[2]) <= 4) == test] for test in (False, True)]
    learned, test = (steps_of(part[:: 20 if small else 1], int(settings["samples_a_step"])) for part in parts)
    model = Listener(settings)
    train(model, learned, settings)
    right = scored(model.eval(), test, settings)
    rows = {
        "model": {"accuracy": right},
        "majority class": {"accuracy": float(np.bincount(test[1]).max() / len(test[1]))},
    }
    table = ScoreTable(f"{len(test[1])} recordings of raw samples", rows)
    difference = at_44100(parts[1][0])
    facts = {"examples": {"training": len(learned[1]), "test": len(test[1])}, "44,100 Hz": difference}
    return Result(dict(table.model), table, settings, facts)


Recordings = tuple[list[np.ndarray], np.ndarray]


def steps_of(paths: list[Path], width: int) -> Recordings:
    """Return samples [T, width] of recordings, each of deviation 1, and the digits."""
    raw, X = RawAudio(8_000), []
    for path in paths:
        samples = raw(path)[:, 0]
        whole = samples[: len(samples) // width * width] / max(float(samples.std()), 1e-6)
        X.append(whole.reshape(-1, width).astype(np.float32))
    return X, np.array([int(path.stem[0]) for path in paths])


def train(model: Listener, learned: Recordings, settings: dict[str, object]) -> None:
    """Train by truncated backpropagation: AdamW after every chunk, the state goes on without its gradient."""
    X, digits = learned
    optimizer = torch.optim.AdamW(model.parameters(), lr=float(settings["learning_rate"]))
    batches = Batches(np.array([len(x) for x in X]), batch_size=int(settings["batch_size"]), seed=1)
    epochs = int(settings["epochs"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        for indices in batches.epoch(epoch):
            truth, carried = torch.from_numpy(digits[indices]), None
            for chunk in pad([X[i] for i in indices]).chunks(int(settings["steps_a_chunk"])):
                scores, (state, largest) = model(chunk.values, chunk.lengths, carried)
                going_on = chunk.lengths > 0
                loss = nn.functional.cross_entropy(scores[going_on], truth[going_on])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                carried = state.detach(), largest.detach()
        schedule.step()


@torch.no_grad()
def scored(model: Listener, test: Recordings, settings: dict[str, object]) -> float:
    """Return the share of recordings whose digit is right after the last sample; two chunk sizes agree on it."""
    X, digits = test
    answers = []
    for steps in (int(settings["steps_a_chunk"]), 7):
        carried = None
        for chunk in pad(X).chunks(steps):
            scores, carried = model(chunk.values, chunk.lengths, carried)
        answers.append(scores)
    assert torch.allclose(*answers, atol=1e-4)
    return float((answers[0].argmax(1).numpy() == digits).mean())


@torch.no_grad()
def at_44100(path: Path) -> dict[str, float]:
    """Read a recording at 44,100 Hz in chunks of 10 ms by a network of one sample per step, and as a whole."""
    torch.manual_seed(0)
    net = Recurrent(cells.get("gru"), input_size=1, hidden_size=32).eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digit.wav"
        soundfile.write(file, soxr.resample(read_audio(path).samples[:, 0], 8_000, 44_100), 44_100, subtype="FLOAT")
        whole = torch.from_numpy(RawAudio(44_100)(file))
        outputs, _ = net(whole[:, None])
        state, steps = None, 0
        for chunk in audio_chunks(file, 441):
            last, state = net(torch.from_numpy(chunk)[:, None], state)
            steps += len(chunk)
    difference = float((last[-1] - outputs[-1]).abs().max())
    assert steps == len(whole)
    assert difference < 1e-5
    return {"steps": steps, "difference between chunks and whole": difference}


if __name__ == "__main__":
    main(run)
