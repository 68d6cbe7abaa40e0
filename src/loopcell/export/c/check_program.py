"""The test program and the Makefile that stand beside an exported model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from loopcell.export.c.blob import set_up_words
from loopcell.export.c.layout import FileLayout
from loopcell.export.c.names import text
from loopcell.export.c.source import CSource
from loopcell.export.c.wav_program import reads_sound, wav_target
from loopcell.export.c.weights import float_lines, whole_lines

Numbers = npt.NDArray[np.generic]
_MOST_NUMBERS = 20_000
"""Numbers of all vectors: a test program is to be read, and compiled in a moment."""


def recorded_steps(source: CSource, steps: int) -> int:
    """Return how many of the first steps are recorded in the test program."""
    width = sum(one.size for one in (*source.model.inputs, *source.outputs))
    return max(1, min(steps, _MOST_NUMBERS // width))


def check_text(source: CSource, inputs: Mapping[str, Numbers], answers: Mapping[str, Numbers], allowed: float) -> str:
    """Return check.c.

    Args:
        source: the model.
        inputs: of the steps, by name: [T, n] numbers, or [T] tokens.
        answers: of the model in Python, by name: [T, n].
        allowed: the largest error.
    """
    steps = recorded_steps(source, len(next(iter(answers.values()))))
    outputs = [(source.quantities[one.name], one.size) for one in source.outputs]
    words = [source.quantities[one.name] for one in source.model.inputs]
    reads = [
        f"in_{word}[at]" if one.kind == "token" else f"in_{word} + at * {one.size}"
        for word, one in zip(words, source.model.inputs, strict=True)
    ]
    comparisons = (f"compare({word}, out_{word} + at * {size}, {size});" for word, size in outputs)
    return text("check.c").format(
        **set_up_words(source),
        name=source.name,
        NAME=source.name.upper(),
        steps=steps,
        vectors="\n\n".join(_vectors(source, inputs, answers, steps)),
        declarations="\n".join(f"static {source.number} {word}[{size}];" for word, size in outputs),
        step=source.step_call("&model", "&state", *reads, *(word for word, _ in outputs)),
        number=source.number,
        comparisons="\n".join(f"        {line}" for line in comparisons),
        allowed=f"{allowed:.3g}",
    )


def makefile_text(source: CSource, multiply_adds: int, layout: FileLayout) -> str:
    """Return the Makefile; its speed target runs for about a second."""
    return text("Makefile").format(
        name=source.name,
        source=layout.from_check,
        include=f"-I{layout.from_check} " if layout.from_check else "",
        speed_steps=speed_steps(multiply_adds),
        wav_target=wav_target(source, layout.from_check),
        wav_program=f" {source.name}_wav" if reads_sound(source) else "",
    )


def speed_steps(multiply_adds: int) -> int:
    """Return how many steps of a model take about a second or less."""
    return max(100, min(200_000, 1_000_000_000 // (multiply_adds + 5_000)))


def _vectors(
    source: CSource, inputs: Mapping[str, Numbers], answers: Mapping[str, Numbers], steps: int
) -> Iterator[str]:
    for quantity in source.model.inputs:
        word = source.quantities[quantity.name]
        if quantity.kind == "token":
            tokens = ", ".join(str(int(token)) for token in inputs[quantity.name].reshape(-1)[:steps])
            yield f"static const int32_t in_{word}[] = {{{tokens}}};"
        else:
            yield _numbers(source, f"in_{word}", inputs[quantity.name][:steps])
    for quantity in source.outputs:
        word = source.quantities[quantity.name]
        yield _numbers(source, f"out_{word}", answers[quantity.name][:steps])


def _numbers(source: CSource, name: str, values: Numbers) -> str:
    lines = float_lines(values) if source.number == "float" else whole_lines(values)
    return f"static const {source.number} {name}[] = {{\n    {lines}}};"
