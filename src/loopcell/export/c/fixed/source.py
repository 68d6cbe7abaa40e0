"""The two files of a model in fixed point: NAME.h and NAME.c."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from loopcell.export.c.argument_lines import is_token
from loopcell.export.c.code import StageCode
from loopcell.export.c.fixed.equations import fixed_equations_code
from loopcell.export.c.fixed.model import FixedModel
from loopcell.export.c.fixed.plain_stages import join_code, lookup_code, softmax_code
from loopcell.export.c.functions import used_pieces
from loopcell.export.c.names import text
from loopcell.export.c.product import ProductForm, product_form
from loopcell.export.c.source import CSource
from loopcell.export.c.stages import stage_code
from loopcell.export.c.weights import Array
from loopcell.export.step_model import Equations, Join, Lookup, Softmax, Stage
from loopcell.export.step_model.identity import identity

_PLAIN: ProductForm = product_form()
_FRACTIONS = "/* A number q of an input or output means q / 2^FRACTION. */"
_CLIPPED = (
    "    {NAME}_CLIPPED = 4, /* the step was taken, with a number that left the range of the data it was made with */\n"
)
_SHIFTS = "typedef char shift_keeps_the_sign[(-3 >> 1) == -2 ? 1 : -1]; /* as every compiler in use has it */"
_RULES = """C99 in whole numbers; it allocates nothing, and calls nothing outside of itself.

Arrays that a step writes may not overlap those that it reads. Streams are states: any number of them, in any order, in
any threads, beside one model. A number that leaves its range is clipped to it, and the step says so."""
_COLUMNS_IN_32_BITS = 516
"""Of weights of 8 bits and numbers of 16, whose sum fits in 32."""


@dataclass(frozen=True)
class FixedForm:
    """Products in whole numbers.

    Attributes:
        kind_name: "int16" or "int8".
    """

    kind_name: str
    file: str = "product_fixed.c"
    rows: int = 4
    in_blocks: bool = False
    group: int = 1
    narrow_bytes: int = 0

    def text(self, most_columns: int, calls: str) -> str:
        """Return the function of products, if C calls it."""
        if not re.search(r"\bproduct\(", calls):
            return ""
        narrow = self.kind_name == "int8"
        words = {
            "WEIGHT": f"{self.kind_name}_t",
            "TOTAL": "int32_t" if narrow and most_columns <= _COLUMNS_IN_32_BITS else "int64_t",
            "SCALES": "const int32_t *restrict scales," if narrow else "",
        }
        made = re.sub(r"\b(WEIGHT|TOTAL|SCALES)\b", lambda found: words[found[1]], text(self.file))
        if words["TOTAL"] == "int64_t":
            made = made.replace("* at;", "* (TOTAL)at;").replace("TOTAL", "int64_t") if narrow else made
        scaled = r"(int64_t)\1 * scales[\2]" if narrow else r"\1"
        return re.sub(r"SCALED\((\w+), ([\w +]+)\)", scaled, made).replace(",  const", ", const")


@dataclass(frozen=True, eq=False)
class FixedSource(CSource):
    """A model in C that computes in whole numbers.

    Attributes:
        fixed: the model with its formats.
    """

    fixed: FixedModel = field(kw_only=True)

    number = "int16_t"
    number_bytes = 2
    saves = "shorts"

    rules = _RULES

    @cached_property
    def _tables(self) -> dict[str, Array]:
        return {}

    @cached_property
    def stages(self) -> tuple[StageCode, ...]:
        """The code of each stage."""
        named = zip(self.model.stages, self.stage_names, strict=True)
        return tuple(self._stage(stage, name) for stage, name in named)

    def _stage(self, stage: Stage, name: str) -> StageCode:
        fixed, own = self.fixed, stage.gives.name
        if isinstance(stage, Equations):
            return fixed_equations_code(fixed.equations[own], name, self._fields, self._tables)
        if isinstance(stage, Lookup):
            return lookup_code(stage, name, self._fields, fixed.lookups[own], fixed.fractions[own])
        if isinstance(stage, Softmax):
            return softmax_code(stage, name, self._fields, fixed.fractions[stage.reads])
        if isinstance(stage, Join):
            return join_code(stage, name, self.model, fixed.fractions)
        code = stage_code(stage, name, self._fields, self.model, _PLAIN)  # a delay, which only copies
        lines = (
            line.replace("float ", "int16_t ").replace("!= 0.0f", "!= 0").replace("1.0f", "1") for line in code.lines
        )
        return StageCode(tuple(lines), code.call, states=code.states)

    @cached_property
    def identity(self) -> str:
        """The model's identity, in hexadecimal digits: and of its formats, which say what a state means."""
        formats = [sorted(self.fixed.fractions.items()), self.fixed.weights]
        formats += [sorted(stage.states.items()) for stage in self.fixed.equations.values()]
        about = f"{identity(self.model)} {json.dumps(formats)}"
        return hashlib.sha256(about.encode()).hexdigest()[:16]

    def step_call(self, *arguments: str) -> str:
        """Return an expression that takes a step, and is not 0 where that failed; clipped numbers are no failure."""
        return f"{super().step_call(*arguments)} % {self.name.upper()}_CLIPPED"

    @property
    def buffer_bytes(self) -> int:
        """The bytes of the arrays that a step keeps on the stack."""
        between = sum(2 * quantity.size for quantity in self.inner)
        return between + 4 * max((stage.scratch for stage in self.stages), default=0)

    def _functions(self, code: str) -> str:
        return f"{_SHIFTS}\n\n{used_pieces('fixed.c', code)}"

    def _calls(self, calls: Sequence[str]) -> Iterator[str]:
        yield "int clipped = 0;"
        yield from calls
        yield f"return clipped ? {self.name.upper()}_CLIPPED : {self.name.upper()}_OK;"

    def _fill(self) -> dict[str, str]:
        fill, capital = super()._fill(), self.name.upper()
        numbers = [one for one in (*self.model.inputs, *self.outputs) if not is_token(one)]
        fractions = {one.name: self.fixed.fractions[one.name] for one in numbers}
        lines = [f"#define {capital}_{self.macros[name]}_FRACTION {of}" for name, of in fractions.items()]
        about = [f" *     {self.quantities[name]} is in units of 2^{-of}" for name, of in fractions.items()]
        return fill | {
            "sizes": "\n".join([fill["sizes"], _FRACTIONS, *lines]),
            "arguments": "\n".join([fill["arguments"], " *", *about]),
            "further_codes": _CLIPPED.format(NAME=capital),
        }
