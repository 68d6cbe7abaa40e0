"""The stages that are no equations in C, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from loopcell.errors import UsageError
from loopcell.export.c.code import StageCode, comment
from loopcell.export.c.equations import equations_code
from loopcell.export.c.mel_bands import mel_bands_code
from loopcell.export.c.names import Names
from loopcell.export.c.product import ProductForm
from loopcell.export.c.weights import Array
from loopcell.export.step_model import Delay, Equations, Join, Lookup, MelBands, Slice, Softmax, Stage, StepModel

Writer = Callable[[Any, str, Names, StepModel, ProductForm], StageCode]


def stage_code(stage: Stage, stage_name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    """Return a stage in C.

    Args:
        stage: what is computed.
        stage_name: its name in C.
        fields: the names that are taken in the model's and the state's struct.
        model: for the quantities that the stage reads.
        form: how products are written.

    Raises:
        UsageError: the C target has no code for such a stage.
    """
    writer = STAGES.get(type(stage))
    if writer is None:
        raise UsageError(f"the C target has no code for a stage such as {stage_name!r} ({type(stage).__name__})")
    return writer(stage, stage_name, fields, model, form)


def _equations(stage: Equations, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    del model
    return equations_code(stage, name, fields, form)


def _lookup(stage: Lookup, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    del model
    tokens, size = stage.table.shape
    stored, scales = form.kind.store(stage.table)
    table = Array(fields.take(f"{name}_table"), stored.reshape(-1), f"a row of {size} for each of {tokens} tokens")
    beside = [] if scales is None else [Array(fields.take(f"{name}_scales"), scales, "of each row")]
    scaled = "".join(f" * model->{array.name}[token]" for array in beside)
    lines = (
        *comment(f"{name}: the row of a token"),
        f"static void step_{name}(const MODEL *model, int32_t token, float *output) {{",
        f"    const {table.c_type} *const row = model->{table.name} + (ptrdiff_t)token * {size};",
        f"    for (int unit = 0; unit < {size}; unit++) output[unit] = {form.kind.wide.format('row[unit]')}{scaled};",
        "}",
    )
    return StageCode(lines, f"step_{name}(model, <{stage.reads}>, <{stage.gives.name}>);", (table, *beside))


def _softmax(stage: Softmax, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    del fields, model, form
    size = stage.gives.size
    lines = (
        *comment(f"{name}: exp(x - max(x)) / sum(exp(x - max(x)))"),
        f"static void step_{name}(const float *x, float *output) {{",
        "    float most = x[0], total = 0.0f;",
        f"    for (int unit = 1; unit < {size}; unit++) most = f_max(most, x[unit]);",
        f"    for (int unit = 0; unit < {size}; unit++) output[unit] = f_exp(x[unit] - most);",
        f"    for (int unit = 0; unit < {size}; unit++) total += output[unit];",
        f"    for (int unit = 0; unit < {size}; unit++) output[unit] /= total;",
        "}",
    )
    return StageCode(lines, f"step_{name}(<{stage.reads}>, <{stage.gives.name}>);")


def _delay(stage: Delay, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    del form
    width, size = model.quantities[stage.reads].size, stage.gives.size
    recent, begun = (fields.take(f"{name}_{word}") for word in stage.states)
    kept = size - width
    lines = (
        *comment(
            f"{name}: the last {stage.steps} steps, the oldest first; before there were so many, the first step again"
        ),
        f"static void step_{name}(STATE *state, const float *x, float *output) {{",
        f"    const int begun = state->{begun}[0] != 0.0f;",
        f"    for (int unit = 0; unit < {kept}; unit++)",
        f"        state->{recent}[unit] = begun ? state->{recent}[unit + {width}] : x[unit % {width}];",
        f"    for (int unit = 0; unit < {width}; unit++) state->{recent}[{kept} + unit] = x[unit];",
        f"    state->{begun}[0] = 1.0f;",
        f"    for (int unit = 0; unit < {size}; unit++) output[unit] = state->{recent}[unit];",
        "}",
    )
    call = f"step_{name}(state, <{stage.reads}>, <{stage.gives.name}>);"
    return StageCode(lines, call, states=((recent, size), (begun, 1)))


def _join(stage: Join, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    del fields, form
    words = [f"part_{place}" for place in range(len(stage.reads))]
    sizes = [model.quantities[reads].size for reads in stage.reads]
    begins = accumulate(sizes, initial=0)
    lines = (
        *comment(f"{name}: {len(words)} vectors one after the other"),
        f"static void step_{name}({', '.join(f'const float *{word}' for word in words)}, float *output) {{",
        *(
            f"    for (int unit = 0; unit < {size}; unit++) output[{begin} + unit] = {word}[unit];"
            for word, size, begin in zip(words, sizes, begins, strict=False)
        ),
        "}",
    )
    reads = ", ".join(f"<{one}>" for one in stage.reads)
    return StageCode(lines, f"step_{name}({reads}, <{stage.gives.name}>);")


def _slice(stage: Slice, name: str, fields: Names, model: StepModel, form: ProductForm) -> StageCode:
    del fields, model, form
    size, start = stage.gives.size, stage.start
    lines = (
        *comment(f"{name}: {size} numbers from place {start} on"),
        f"static void step_{name}(const float *x, float *output) {{",
        f"    for (int unit = 0; unit < {size}; unit++) output[unit] = x[{start} + unit];",
        "}",
    )
    return StageCode(lines, f"step_{name}(<{stage.reads}>, <{stage.gives.name}>);")


STAGES: Mapping[type, Writer] = {
    Equations: _equations,
    Lookup: _lookup,
    Softmax: _softmax,
    Delay: _delay,
    Join: _join,
    Slice: _slice,
    MelBands: mel_bands_code,
}
"""The writer of each kind of stage."""
