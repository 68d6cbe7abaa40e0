"""The stages that are no equations, in whole numbers: in Python here, in C beside it, one as the other."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import numpy as np

from loopcell.export.c.code import StageCode, comment
from loopcell.export.c.fixed.numbers import ON_THE_WAY, STORED, Matrices, Whole, narrow, whole
from loopcell.export.c.names import Names
from loopcell.export.c.weights import Array
from loopcell.export.step_model import Delay, Join, Lookup, Softmax, StepModel

_POWERS = whole(np.exp(np.linspace(-16, 0, 513)), STORED, STORED)
"""e^x at 512 intervals from -16 to 0."""


def looked_up(stored: tuple[Whole, Whole | None, int], token: int, stage: Lookup, fraction: int) -> Whole:
    """Return the row of a token, from a table in whole numbers with its multipliers and their fraction."""
    del stage
    rows, multipliers, own = stored
    row = rows[token] if multipliers is None else rows[token] * multipliers[token]
    return narrow(row, own - fraction, STORED)


def lookup_code(stage: Lookup, name: str, fields: Names, matrices: Matrices, fraction: int) -> StageCode:
    """Return the row of a token in C."""
    tokens, size = stage.table.shape
    values, multipliers = matrices.stored(stage.table)
    kind = np.int16 if multipliers is None else np.int8
    table = Array(
        fields.take(f"{name}_table"), values.astype(kind).reshape(-1), f"a row of {size} for each of {tokens} tokens"
    )
    beside = (
        []
        if multipliers is None
        else [Array(fields.take(f"{name}_scales"), multipliers.astype(np.int32), "of each row")]
    )
    scaled = "".join(f" * model->{array.name}[token]" for array in beside)
    lines = (
        *comment(f"{name}: the row of a token"),
        f"static void step_{name}(const MODEL *model, int32_t token, int16_t *output, int *clipped) {{",
        f"    const {table.c_type} *const row = model->{table.name} + (ptrdiff_t)token * {size};",
        f"    for (int unit = 0; unit < {size}; unit++)",
        f"        output[unit] = stored((int64_t)row[unit]{scaled}, {matrices.fraction - fraction}, clipped);",
        "}",
    )
    return StageCode(lines, f"step_{name}(model, <{stage.reads}>, <{stage.gives.name}>, &clipped);", (table, *beside))


def shares(scores: Whole, fraction: int) -> Whole:
    """Return the softmax of scores, with a fraction of 15: each power of e from a table."""
    below = narrow(scores - scores.max(), fraction - (ON_THE_WAY - 4), ON_THE_WAY)
    at = below + (1 << ON_THE_WAY)
    interval, rest = np.minimum(at >> 14, 511), at - (np.minimum(at >> 14, 511) << 14)
    first = _POWERS[interval]
    powers = first + (((_POWERS[interval + 1] - first) * rest + (1 << 13)) >> 14)
    found: Whole = np.minimum((powers << STORED) // powers.sum(), (1 << STORED) - 1)
    return found


def softmax_code(stage: Softmax, name: str, fields: Names, fraction: int) -> StageCode:
    """Return a softmax in C."""
    size = stage.gives.size
    table = Array(fields.take(f"{name}_powers"), _POWERS.astype(np.int16), "e^x from -16 to 0")
    lines = (
        *comment(f"{name}: exp(x - max(x)) / sum(exp(x - max(x)))"),
        f"static void step_{name}(const MODEL *model, const int16_t *x, int16_t *output) {{",
        "    int32_t highest = x[0], total = 0;",
        f"    for (int unit = 1; unit < {size}; unit++) highest = x[unit] > highest ? x[unit] : highest;",
        f"    for (int unit = 0; unit < {size}; unit++) {{",
        f"        const int32_t below = narrow_quietly(x[unit] - highest, {fraction - (ON_THE_WAY - 4)});",
        f"        const int32_t at = below + {1 << ON_THE_WAY};",
        "        const int32_t interval = at >> 14 < 511 ? at >> 14 : 511, rest = at - interval * 16384;",
        f"        const int32_t first = model->{table.name}[interval], next = model->{table.name}[interval + 1];",
        "        output[unit] = (int16_t)(first + (((next - first) * rest + 8192) >> 14));",
        "        total += output[unit];",
        "    }",
        f"    for (int unit = 0; unit < {size}; unit++) {{",
        "        const int32_t share = output[unit] * 32768 / total;",
        "        output[unit] = (int16_t)(share < 32767 ? share : 32767);",
        "    }",
        "}",
    )
    return StageCode(lines, f"step_{name}(model, <{stage.reads}>, <{stage.gives.name}>);", (table,))


def delayed(stage: Delay, now: Whole, states: dict[str, Whole]) -> Whole:
    """Return the last steps, and keep them."""
    recent, begun = (f"{stage.gives.name}.{name}" for name in ("recent", "begun"))
    before = states[recent] if states[begun][0] else np.tile(now, stage.steps)
    states[recent], states[begun] = np.concatenate([before[len(now) :], now]), np.ones(1, np.int64)
    return states[recent]


def joined(stage: Join, known: Mapping[str, Whole], fractions: Mapping[str, int]) -> Whole:
    """Return vectors one after the other, with one fraction."""
    own = fractions[stage.gives.name]
    return np.concatenate([narrow(known[name], fractions[name] - own, STORED) for name in stage.reads])


def join_code(stage: Join, name: str, model: StepModel, fractions: Mapping[str, int]) -> StageCode:
    """Return vectors one after the other in C; none has a smaller fraction than all together, so nothing is clipped."""
    words = [f"part_{place}" for place in range(len(stage.reads))]
    sizes = [model.quantities[reads].size for reads in stage.reads]
    downs = [fractions[reads] - fractions[stage.gives.name] for reads in stage.reads]
    lines = (
        *comment(f"{name}: {len(words)} vectors one after the other"),
        f"static void step_{name}({', '.join(f'const int16_t *{word}' for word in words)}, int16_t *output) {{",
        *(
            f"    for (int unit = 0; unit < {size}; unit++) "
            f"output[{begin} + unit] = (int16_t)narrow_quietly({word}[unit], {down});"
            for word, size, begin, down in zip(words, sizes, accumulate(sizes, initial=0), downs, strict=False)
        ),
        "}",
    )
    reads = ", ".join(f"<{one}>" for one in stage.reads)
    return StageCode(lines, f"step_{name}({reads}, <{stage.gives.name}>);")
