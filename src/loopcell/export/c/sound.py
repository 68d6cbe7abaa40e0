"""Sound in C: the bands of a frame, and frames cut out of samples as these come."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loopcell.export.c.code import StageCode, comment
from loopcell.export.c.names import Names
from loopcell.export.c.weights import Array
from loopcell.export.step_model import MelBands, StepModel
from loopcell.export.step_model.stages import Floats


def mel_bands(stage: MelBands, name: str, fields: Names, model: StepModel, rows: int) -> StageCode:
    """Return the logarithm of the energy of a frame in bands in C.

    The transform of N real numbers is one of N / 2 complex ones, of which the even samples are the real parts and the
    odd samples the imaginary ones. Of each band only the frequencies that it has are kept.
    """
    del model, rows
    size, width = stage.fft_size, len(stage.window)
    firsts, counts, weights = _neighbours(stage.bank)
    window = Array(fields.take(f"{name}_window"), stage.window, "the window of a frame")
    turns = Array(fields.take(f"{name}_turns"), _turns(size), f"cos and sin of 2 pi k / {size}, one after the other")
    bank = Array(fields.take(f"{name}_bank"), weights, "of each band the weights of its frequencies")
    lines = (
        *comment(
            f"{name}: log(max(B |F(w x)|^2, {stage.floor:g})), with w a window, F the Fourier transform of the frame "
            f"filled up to {size} samples, B mel bands"
        ),
        f"static void step_{name}(const MODEL *model, const float *frame, float *output) {{",
        f"    static const uint16_t first[{len(firsts)}] = {{{_listed(firsts)}}};",
        f"    static const uint16_t count[{len(counts)}] = {{{_listed(counts)}}};",
        f"    const float *weight = model->{bank.name};",
        f"    float re[{size // 2 + 1}], im[{size // 2 + 1}];",
        f"    for (int place = 0; place < {size // 2}; place++) {{",
        "        const int even = 2 * place, odd = even + 1;",
        f"        re[place] = even < {width} ? frame[even] * model->{window.name}[even] : 0.0f;",
        f"        im[place] = odd < {width} ? frame[odd] * model->{window.name}[odd] : 0.0f;",
        "    }",
        f"    transform(re, im, {size // 2}, model->{turns.name});",
        f"    of_real(re, im, {size // 2}, model->{turns.name});",
        f"    for (int band = 0; band < {stage.gives.size}; band++) {{",
        "        float energy = 0.0f;",
        "        for (int place = 0; place < count[band]; place++) {",
        "            const int k = first[band] + place;",
        "            energy += *weight++ * (re[k] * re[k] + im[k] * im[k]);",
        "        }",
        f"        output[band] = f_log(f_max(energy, {stage.floor!r}f));",
        "    }",
        "}",
    )
    multiply_adds = len(weights) + 2 * size * (size.bit_length() - 1)
    call = f"step_{name}(model, <{stage.reads}>, <{stage.gives.name}>);"
    return StageCode(lines, call, (window, turns, bank), (), size + 2, multiply_adds)


def _turns(size: int) -> Floats:
    angles = 2 * np.pi * np.arange(size // 2) / size
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32).reshape(-1)


def _neighbours(bank: Floats) -> tuple[list[int], list[int], Floats]:
    """Return the first frequency of each band, how many it has, and all of their weights."""
    places = [np.flatnonzero(row) for row in bank]
    firsts = [int(place[0]) for place in places]
    counts = [int(place[-1] - place[0] + 1) for place in places]
    parts = [row[first : first + count] for row, first, count in zip(bank, firsts, counts, strict=True)]
    return firsts, counts, np.concatenate(parts).astype(np.float32)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
