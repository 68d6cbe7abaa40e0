"""Features as stages: a frame of sound to its bands, a sample or a row of pixels as it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from loopcell.data import LogMel, Mfcc, RawAudio
from loopcell.data.features.mel import FLOOR, cosines, filter_bank
from loopcell.equations import sized
from loopcell.export.step_model import Equations, Frames, MelBands, Quantity, Stage, formula
from loopcell.export.step_model.formulas import scale_stage
from loopcell.tasks.core.inputs.features import FeatureInput
from loopcell.tasks.core.step_models.step_input import StepInput, as_scale


def of_features(reads: FeatureInput) -> StepInput:
    """Return what reads a step of sounds or images: a frame, a sample, or a row of pixels."""
    scale, features = reads.scale, reads.features
    assert scale is not None  # a fitted estimator has one
    if isinstance(features, LogMel):
        frame = Quantity("frame", features.width)
        stages = _bands(features, frame)
        frames = Frames(features.width, features.step, features.sample_rate)
    else:
        frame, frames, stages = Quantity("x", features.input_size), None, []
    scaled = scale_stage("read", stages[-1].gives if stages else frame, *as_scale(scale))
    facts = {"sample_rate": features.sample_rate} if isinstance(features, LogMel | RawAudio) else {}
    return StepInput((frame,), (*stages, scaled), scaled.gives, facts=facts, frames=frames)


def _bands(features: LogMel, frame: Quantity) -> list[Stage]:
    fft_size = 1 << (features.width - 1).bit_length()
    bank = filter_bank(features.sample_rate, fft_size, features.bands, features.mel_scale)
    window = np.hanning(features.width + 1)[:-1]
    bands = Quantity("bands", features.bands)
    found: list[Stage] = [MelBands(bands, window.astype(np.float32), bank.astype(np.float32), FLOOR, frame.name)]
    if isinstance(features, Mfcc):
        matrix = cosines(features.coefficients, features.bands).astype(np.float32)
        sizes = {"input": features.bands, "output": features.coefficients}
        gives = Quantity("cepstrum", features.coefficients)
        graph = formula(_transformed)
        found.append(Equations(gives, graph, sizes, {"cosine.matrix": matrix}, {"x": bands.name}, "cosine transform"))
    return found


def _transformed(x: Any, *, cosine: Any) -> Any:
    return sized(cosine.matrix @ x, "output")
