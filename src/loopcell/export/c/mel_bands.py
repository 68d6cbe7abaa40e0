"""The mel bands of a frame of sound in C: a window, a real Fourier transform, the bands of its energies."""

from __future__ import annotations

import numpy as np

from loopcell.export.c.code import StageCode, comment
from loopcell.export.c.names import Names
from loopcell.export.c.product import ProductForm
from loopcell.export.c.spelling import number
from loopcell.export.c.weights import Array
from loopcell.export.step_model import MelBands, StepModel
from loopcell.export.step_model.stages import Floats


def mel_bands_code(stage: MelBands, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    """Return the bands of a frame in C; arguments as those of `stage_code`.

    A transform of 2 N real numbers is one of N complex ones, from which that of the even and of the odd numbers are
    taken apart: half the memory and half the time.
    """
    del model, form
    half, width, bands = stage.fft_size // 2, len(stage.window), stage.gives.size
    angles = np.pi * np.arange(half) / half
    turns = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    begins, ends, bank = _neighbours(stage.bank)
    arrays = (
        Array(fields.take(f"{name}_window"), stage.window, "the window of a frame"),
        Array(fields.take(f"{name}_turns"), turns.reshape(-1), "cosines and sines of half a turn"),
        Array(fields.take(f"{name}_bank"), bank, "the weights of each band's frequencies"),
    )
    window, angle, weight = (f"model->{array.name}" for array in arrays)
    lines = (
        *comment(f"{name}: log max(B |F(w x)|^2, {stage.floor:g}), the energies of a frame in {bands} mel bands"),
        f"static void step_{name}(const MODEL *model, const float *x, float *output) {{",
        f"    static const int16_t begins[{bands}] = {{{', '.join(map(str, begins))}}};",
        f"    static const int16_t ends[{bands}] = {{{', '.join(map(str, ends))}}};",
        f"    const float *weights = {weight};",
        f"    float z[{2 * half}], energies[{half + 1}];",
        f"    for (int unit = 0; unit < {width}; unit++) z[unit] = x[unit] * {window}[unit];",
        f"    for (int unit = {width}; unit < {2 * half}; unit++) z[unit] = 0.0f;",
        f"    fourier(z, {half}, {angle});",
        "    energies[0] = (z[0] + z[1]) * (z[0] + z[1]);",
        f"    energies[{half}] = (z[0] - z[1]) * (z[0] - z[1]);",
        f"    for (int unit = 1; unit < {half}; unit++) {{",
        f"        const float *a = z + 2 * unit, *b = z + 2 * ({half} - unit), *turn = {angle} + 2 * unit;",
        "        const float even_re = 0.5f * (a[0] + b[0]), even_im = 0.5f * (a[1] - b[1]);",
        "        const float odd_re = 0.5f * (a[1] + b[1]), odd_im = 0.5f * (b[0] - a[0]);",
        "        const float re = even_re + odd_re * turn[0] + odd_im * turn[1];",
        "        const float im = even_im + odd_im * turn[0] - odd_re * turn[1];",
        "        energies[unit] = re * re + im * im;",
        "    }",
        f"    for (int band = 0; band < {bands}; band++) {{",
        "        float energy = 0.0f;",
        "        for (int unit = begins[band]; unit < ends[band]; unit++) energy += *weights++ * energies[unit];",
        f"        output[band] = f_log(f_max(energy, {number(stage.floor)}));",
        "    }",
        "}",
    )
    adds = 5 * half * max(1, half.bit_length() - 1) + len(bank)
    call = f"step_{name}(model, <{stage.reads}>, <{stage.gives.name}>);"
    return StageCode(lines, call, arrays, scratch=3 * half + 1, multiply_adds=adds)


def _neighbours(bank: Floats) -> tuple[list[int], list[int], Floats]:
    """Return the first frequency of each band, the one after its last, and the weights of these, band after band."""
    begins, ends, kept = [], [], []
    for row in bank:
        places = np.flatnonzero(row)
        begin, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        begins.append(begin)
        ends.append(end)
        kept.append(row[begin:end])
    weights = np.concatenate(kept).astype(np.float32)
    return begins, ends, weights if len(weights) else np.zeros(1, np.float32)
