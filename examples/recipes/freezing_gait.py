"""Freezing of gait, step by step: a patient with Parkinson's disease walks, and for seconds the feet do not follow.

The recording that can be had freely holds 110 seconds at 64 Hz and not one labelled freeze (`facts` counts). So the
recipe lays them in, as Moore and others (2008) describe a freeze: the stride goes, and the legs tremble at 3 to 8 Hz.
It also lays in what is most easily taken for one, standing still, which must not be called a freeze. Split in time:
what the network learns from ends 4 seconds before what it is scored on begins, and no walking step is in both.
The figure shows that the path works on a real sensor; it says nothing of patients.
"""

from __future__ import annotations

import numpy as np
from recipe import Result, main

from loopcell import SequenceTagger
from loopcell.data import fetch, read

SETTINGS = {
    "random_state": 1,
    "cell": "gru",
    "hidden_size": 48,
    "crf": True,  # without it a label flickers, and a freeze falls into pieces
    "epochs": 30,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "warmup": 100,
    "patience": 8,
}
HERTZ, SECONDS, GAP = 64, 16, 4
LEARNED, HELD_OUT = 0.6, 0.75  # of the recording: where the training part and the validation part end
STREAMS = {"training": 240, "validation": 60, "test": 60}
ANKLE_AND_LEG = slice(0, 6)  # channels that tremble; the trunk does so less
Labelled = tuple[list[np.ndarray], list[list[int]]]


def run(small: bool) -> Result:
    """Train on streams cut from the first minute, score on those of the last quarter."""
    channels, frozen = recording()
    ends = {"training": LEARNED, "validation": HELD_OUT, "test": 1.0}
    parts, start = {}, 0
    for seed, (name, share) in enumerate(ends.items()):
        end = int(share * len(channels))
        count = 4 if small else STREAMS[name]
        parts[name] = streams(channels[start:end], count, np.random.default_rng(seed))
        start = end + GAP * HERTZ
    settings = {**SETTINGS, "hidden_size": 8, "epochs": 1} if small else SETTINGS
    model = SequenceTagger(**settings, progress=True).fit(*parts["training"], validation=parts["validation"])
    table = model.evaluate(*parts["test"], training=parts["training"])
    facts = {
        "recording": {"steps": len(channels), "labelled freezes": int(frozen.sum())},
        "streams": {name: len(part[0]) for name, part in parts.items()},
        "frozen steps of the test part": round(float(np.mean(np.concatenate(parts["test"][1]))), 3),
    }
    return Result({name: table.model[name] for name in ("segment F1@50", "macro-F1")}, table, settings, facts)


def recording() -> tuple[np.ndarray, np.ndarray]:
    """Return the acceleration [T, 9] in units of g, and what the recording labels as freezing [T]."""
    records = read(fetch("daphnet")["S06R02E0.csv"])
    names = [name for name in records.columns if name not in ("timestamp", "is_anomaly")]
    channels = np.stack([np.asarray(list(records.column(name)), np.float32) for name in names], axis=1)
    return channels / 1000, np.asarray(list(records.column("is_anomaly")), np.int64)


def streams(channels: np.ndarray, count: int, drawn: np.random.Generator) -> Labelled:
    """Cut streams [T, 9] from a segment of the recording and lay one to three episodes into each."""
    length = min(SECONDS * HERTZ, len(channels))
    X, y = [], []
    for _ in range(count):
        start = drawn.integers(0, len(channels) - length + 1)
        stream, frozen = channels[start : start + length].copy(), np.zeros(length, bool)
        place = int(drawn.uniform(0.5, 3) * HERTZ)
        for _ in range(drawn.integers(1, 4)):
            end = place + int(drawn.uniform(1, 4) * HERTZ)
            if end > length:
                break
            trembles = drawn.random() < 0.5
            lay(stream, place, end, drawn, trembles=trembles)
            frozen[place:end] = trembles
            place = end + int(drawn.uniform(1, 4) * HERTZ)
        X.append(stream)
        y.append(frozen.astype(int).tolist())
    return X, y


def lay(stream: np.ndarray, start: int, end: int, drawn: np.random.Generator, *, trembles: bool) -> None:
    """Turn some steps into standing, with or without trembling; the walk fades out and in over a quarter second."""
    steps = np.arange(end - start)
    standing = np.median(stream, axis=0) + np.cumsum(drawn.normal(0, 0.002, (len(steps), stream.shape[1])), axis=0)
    standing += drawn.normal(0, 0.02, standing.shape)
    if trembles:
        hertz = drawn.uniform(3, 8) + np.cumsum(drawn.normal(0, 0.02, len(steps)))
        phase = 2 * np.pi * np.cumsum(hertz) / HERTZ
        strength = drawn.uniform(0.05, 0.4) * drawn.uniform(0.3, 1.0, stream.shape[1])
        strength[ANKLE_AND_LEG.stop :] *= 0.3
        standing += np.sin(phase[:, None] + drawn.uniform(0, 2 * np.pi, stream.shape[1])) * strength
    fade = np.clip(np.minimum(steps, steps[::-1]) / (HERTZ / 4), 0, 1)[:, None]
    stream[start:end] = fade * standing + (1 - fade) * stream[start:end]


if __name__ == "__main__":
    main(run)
