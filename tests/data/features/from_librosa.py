"""Write from_librosa.json: filter banks, log-mel bands and MFCC as librosa computes them.

    pip install librosa==0.11.0
    python tests/data/features/from_librosa.py

librosa is no dependency of the tests: it brings numba and LLVM, more than all other tests need together, and what it
says of a sound does not change.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
from scipy.fft import dct

# Sample rate, samples of a frame, of the Fourier transform and of a hop, bands, coefficients.
CASES = ((8000, 256, 256, 80, 20, 13), (16000, 400, 512, 160, 40, 20))
SAMPLES = 1200


def case(rate: int, width: int, size: int, hop: int, bands: int, coefficients: int) -> dict[str, object]:
    """What librosa computes of the same noise as the test, with HTK's mel scale and with Slaney's."""
    bank = {"sr": rate, "n_fft": size, "n_mels": bands, "fmin": 0.0, "fmax": rate / 2}
    htk, slaney = {**bank, "htk": True, "norm": None}, {**bank, "htk": False, "norm": "slaney"}
    samples = np.random.default_rng(rate).normal(size=SAMPLES)
    # librosa puts a frame in the middle of the transform, we at its start: the power is the same, the frame is not.
    shifted = np.pad(samples, ((size - width) // 2, size))

    def bands_of(scale: dict[str, object]) -> np.ndarray:
        energies = librosa.feature.melspectrogram(
            y=shifted, hop_length=hop, win_length=width, window="hann", center=False, power=2.0, **scale
        )
        return np.log(np.maximum(energies, 1e-10))[:, : (SAMPLES - width) // hop + 1]

    log_mel = bands_of(htk)
    mfcc = dct(log_mel, axis=0, type=2, norm="ortho")[:coefficients]  # as librosa.feature.mfcc takes it of its S
    np.testing.assert_allclose(mfcc, librosa.feature.mfcc(S=log_mel, n_mfcc=coefficients), rtol=1e-5)
    return {
        "rate": rate,
        "window": width / rate,
        "hop": hop / rate,
        "bands": bands,
        "size": size,
        "triangles": triangles(htk),
        "slaney": {"triangles": triangles(slaney), "log_mel": rounded(bands_of(slaney).T)},
        "log_mel": rounded(log_mel.T),
        "mfcc": rounded(mfcc.T),
    }


def triangles(scale: dict[str, object]) -> list[object]:
    """Of each band the first frequency with a weight, and the weights."""
    rows = librosa.filters.mel(**scale, dtype=np.float64)
    return [[int(np.flatnonzero(row)[0]), *rounded(row[row > 0])] for row in rows]


def rounded(values: np.ndarray) -> list[object]:
    """Six digits, which single precision has."""
    return np.vectorize(lambda value: float(f"{value:.6g}"))(values).tolist()


def main() -> None:
    """Compute the cases and write them, one a line."""
    lines = ",\n".join(json.dumps(case(*one)) for one in CASES)
    text = f'{{"librosa": "{version("librosa")}", "samples": {SAMPLES}, "cases": [\n{lines}\n]}}\n'
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
