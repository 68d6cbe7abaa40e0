"""Speech or silence, frame by frame, as the sound comes in: spoken digits placed into noise and silence.

Digits of the training recordings (and, to score on, of the official test recordings) are laid into streams of 4 seconds
between pauses, under white noise, pink noise, hum or next to nothing, 0 to 20 dB below the speech. A frame is speech
where its middle lies in a digit. The network reads one way, so that it can answer while the sound is coming: streams of
the test part are fed to it frame by frame, and the answers have to be those of the whole.
"""

from __future__ import annotations

import time

import numpy as np
from recipe import Result, main

from loopcell import SequenceTagger
from loopcell.data import LogMel, fetch, read_audio

SETTINGS = {
    "cell": "gru",
    "hidden_size": 96,
    "epochs": 20,
    "batch_size": 16,
    "learning_rate": 4e-3,
    "patience": None,
    "random_state": 1,
}
RATE, SECONDS = 8_000, 4
STREAMS, TEST_STREAMS = 1_000, 100
BANDS = LogMel(RATE)


def run(small: bool) -> Result:
    """Train on streams, score frames of others, and stream one of them."""
    paths = sorted(fetch("fsdd")["recordings"].glob("*.wav"))
    parts = [[path for path in paths if (int(path.stem.split("_")[2]) <= 4) == test] for test in (False, True)]
    share = 20 if small else 1
    learned, test = streams(parts[0], STREAMS // share, 1), streams(parts[1], TEST_STREAMS // share, 2)
    settings = {**SETTINGS, "hidden_size": 8, "epochs": 1} if small else SETTINGS
    model = SequenceTagger(**settings, progress=True).fit(*learned)
    table = model.evaluate(*test, training=learned)
    milliseconds = streamed(model, test[0][: 5 if small else 20])
    facts = {
        "examples": {"training": len(learned[0]), "test": len(test[0])},
        "frames": {"window, ms": 1000 * BANDS.window, "hop, ms": 1000 * BANDS.hop},
        "processor time for a frame, ms": round(milliseconds, 3),
    }
    figures = {"macro-F1": table.model["macro-F1"], "accuracy": table.model["accuracy"]}
    return Result({**figures, "milliseconds for a frame": milliseconds}, table, settings, facts)


def streamed(model: SequenceTagger, X: list[np.ndarray]) -> float:
    """Feed streams frame by frame; milliseconds of processor time for a frame. The labels are those of the whole."""
    wholes, spent, frames = model.predict(X), 0.0, 0
    for stream, whole in zip(X, wholes, strict=True):
        state, found = None, []
        began = time.thread_time()
        for frame in stream:
            label, state = model.predict_next(frame[None], state)
            found.append(label[0])
        spent += time.thread_time() - began
        frames += len(found)
        assert found == whole.tolist()
    return 1000 * spent / frames


def streams(paths: list[object], count: int, seed: int) -> tuple[list[np.ndarray], list[list[str]]]:
    """Return log-mel frames [T, 40] of streams, and the label of each frame."""
    drawn = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        samples, speaking = stream([paths[i] for i in drawn.integers(0, len(paths), 5)], drawn)
        frames = BANDS(samples)
        middles = np.minimum(np.arange(len(frames)) * BANDS.step + BANDS.width // 2, len(speaking) - 1)
        X.append(frames)
        y.append(np.where(speaking[middles], "speech", "silence").tolist())
    return X, y


def stream(paths: list[object], drawn: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return digits between pauses until the stream is full: samples [N] with noise, and where there is speech."""
    samples, speaking = np.zeros(RATE * SECONDS, np.float32), np.zeros(RATE * SECONDS, bool)
    place, loudness = int(drawn.uniform(0.1, 1.0) * RATE), []
    for path in paths:
        digit = read_audio(path).samples[:, 0]
        if place + len(digit) > len(samples):
            break
        samples[place : place + len(digit)] = digit
        speaking[place : place + len(digit)] = True
        loudness.append(float(np.sqrt((digit**2).mean())))
        place += len(digit) + int(drawn.uniform(0.2, 1.2) * RATE)
    below = 10 ** (-drawn.uniform(0, 20) / 20)
    return samples + np.mean(loudness or [0.05]) * below * noise(len(samples), drawn), speaking


def noise(count: int, drawn: np.random.Generator) -> np.ndarray:
    """Return white noise, pink noise, hum or next to nothing, of power 1 (the last: of a ten-thousandth)."""
    white = drawn.standard_normal(count)
    kind = drawn.integers(4)
    if kind == 1:  # power falls with the frequency
        found = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(count // 2 + 1))), count)
    elif kind == 2:
        found = np.sin(2 * np.pi * drawn.choice([50, 60, 100, 120]) * np.arange(count) / RATE) + 0.1 * white
    else:
        found = white
    quiet = 0.01 if kind == 3 else 1.0
    return (quiet * found / found.std()).astype(np.float32)


if __name__ == "__main__":
    main(run)
