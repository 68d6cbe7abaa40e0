"""The two files of an exported model: NAME.h and NAME.c."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from loopcell.errors import UsageError
from loopcell.export.c.argument_lines import argument_lines, is_token
from loopcell.export.c.blob import blob_bytes
from loopcell.export.c.code import StageCode, comment, indented
from loopcell.export.c.frames import LOCAL_WORDS, FrameCode
from loopcell.export.c.functions import used_functions, used_pieces
from loopcell.export.c.names import Names, text, words
from loopcell.export.c.product import Form, ProductForm
from loopcell.export.c.saving import AROUND_STATE, loading_lines, saving_lines
from loopcell.export.c.stages import stage_code
from loopcell.export.c.weights import Array, array_text
from loopcell.export.step_model import Quantity, StepModel
from loopcell.export.step_model.identity import identity

RULES = """C99; it allocates nothing, and calls nothing outside of itself.

Arrays that a step writes may not overlap those that it reads. Streams are states: any number of them, in any order, in
any threads, beside one model. NaN in an input is a missing value where the stage that scales the input says so. An
infinite number, or NaN, that reaches a recurrent layer stays in that stream until its state is reset. It never reaches
another stream."""


@dataclass(frozen=True, eq=False)
class CSource:
    """A model in C.

    Attributes:
        model: what it computes.
        name: of files and functions, an identifier.
        form: how products are written.
        store: "arrays" for weights in the code, or "blob" for a file of their own.
    """

    model: StepModel
    name: str
    form: Form
    store: str = "arrays"

    number = "float"
    """The type in C of what flows."""
    number_bytes = 4
    saves = "floats"
    """What the functions that save a state call its numbers."""
    rules = RULES

    # -- what there is ---------------------------------------------------------------------------------

    @cached_property
    def stage_names(self) -> tuple[str, ...]:
        """The name of each stage in C."""
        names = Names()
        return tuple(names.take(stage.gives.name) for stage in self.model.stages)

    @cached_property
    def stages(self) -> tuple[StageCode, ...]:
        """The code of each stage."""
        fields, form = self._fields, self.form
        assert isinstance(form, ProductForm)  # others have stages of their own
        named = zip(self.model.stages, self.stage_names, strict=True)
        return tuple(stage_code(stage, name, fields, self.model, form) for stage, name in named)

    @cached_property
    def _fields(self) -> Names:
        return Names(words())

    @cached_property
    def frames(self) -> FrameCode | None:
        """The functions that cut steps out of sound; None where steps come as they are."""
        _ = self.stages  # which take their fields first
        return None if self.model.frames is None else FrameCode.of(self.model.frames, self._fields)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All weights, in order."""
        return tuple(array for stage in self.stages for array in stage.arrays)

    @property
    def states(self) -> tuple[tuple[str, int], ...]:
        """The fields of the state, each with its length."""
        of_frames = () if self.frames is None else self.frames.states
        return (*(field for stage in self.stages for field in stage.states), *of_frames)

    @cached_property
    def quantities(self) -> Mapping[str, str]:
        """The name in C of each quantity in the function of a step."""
        names = Names(("model", "state", *_ENDINGS, *(LOCAL_WORDS if self.model.frames else ())))
        alone = len(self.outputs) == 1
        return {
            name: names.take("y" if alone and name == self.outputs[0].name and name not in self._inputs else name)
            for name in self.model.quantities
        }

    @cached_property
    def macros(self) -> Mapping[str, str]:
        """The end of the macro of each quantity's length."""
        names = Names(word.upper() for word in _ENDINGS)
        return {name: names.take(word.upper()) for name, word in self.quantities.items()}

    @property
    def _inputs(self) -> set[str]:
        return {quantity.name for quantity in self.model.inputs}

    @cached_property
    def outputs(self) -> tuple[Quantity, ...]:
        """The quantities that a step answers with.

        Raises:
            UsageError: an output is an input as it came, or stands there twice.
        """
        names = [output.name for output in self.model.outputs]
        for name in names:
            if names.count(name) > 1 or name in {one.name for one in self.model.inputs}:
                raise UsageError(f"the C target gives what stages compute, each once; {name!r} is not such an output")
        return tuple(self.model.quantities[name] for name in names)

    @cached_property
    def identity(self) -> str:
        """The model's identity, in hexadecimal digits."""
        return identity(self.model)

    @property
    def state_bytes(self) -> int:
        """The bytes of a saved state."""
        return AROUND_STATE + self.number_bytes * sum(size for _, size in self.states)

    @property
    def weight_bytes(self) -> int:
        """The bytes of all weights."""
        return sum(array.values.nbytes for array in self.arrays)

    @property
    def multiply_adds(self) -> int:
        """Those of the products of a step."""
        return sum(stage.multiply_adds for stage in self.stages)

    @property
    def left_out(self) -> int:
        """Numbers of matrices that lie in zero blocks, which are neither stored nor multiplied."""
        return sum(stage.left_out for stage in self.stages)

    @property
    def buffer_bytes(self) -> int:
        """The bytes of the arrays that a step keeps on the stack: what flows between stages, and the largest stage."""
        between = sum(quantity.size for quantity in self.inner)
        narrow = self.form.narrow_bytes * self.most_columns
        return 4 * (between + max((stage.scratch for stage in self.stages), default=0)) + narrow

    @property
    def most_columns(self) -> int:
        """The most columns of a matrix."""
        return max((stage.columns for stage in self.stages), default=0)

    @property
    def inner(self) -> tuple[Quantity, ...]:
        """The quantities that only live within a step."""
        given = {one.name for one in self.outputs}
        return tuple(stage.gives for stage in self.model.stages if stage.gives.name not in given)

    # -- the header ------------------------------------------------------------------------------------

    def header(self) -> str:
        """Return the text of NAME.h."""
        guard = f"{self.name.upper()}_H"
        fill = self._fill()
        title = "; ".join(getattr(stage, "doc", "") or type(stage).__name__.lower() for stage in self.model.stages)
        return "\n".join(
            [
                *comment(f"{self.name}: {title}\n\nWritten by loopcell. {self.rules}"),
                f"#ifndef {guard}",
                f"#define {guard}",
                "",
                "#include <stddef.h>",
                "#include <stdint.h>",
                "",
                "#ifdef __cplusplus",
                'extern "C" {',
                "#endif",
                "",
                text("header.h").format_map(fill).strip("\n"),
                *(() if self.frames is None else (self.frames.header(self.name, self._answers),)),
                "",
                "#ifdef __cplusplus",
                "}",
                "#endif",
                "#endif",
                "",
            ]
        )

    def _fill(self) -> dict[str, str]:
        name = self.name
        weights = [f"const {array.c_type} *{array.name}; /* {array.comment} */" for array in self.arrays]
        states = [f"{self.number} {field}[{size}];" for field, size in self.states]
        numbers = [one for one in self._ends() if not is_token(one)]
        sizes = [f"#define {name.upper()}_{self.macros[one.name]} {one.size}" for one in numbers]
        arguments = argument_lines(self.model, self.quantities)
        return {
            "name": name,
            "NAME": name.upper(),
            "weights": "\n".join(indented(weights or ["char none;"])),
            "states": "\n".join(indented(states or ["char none;"])),
            "sizes": "\n".join(sizes),
            "state_bytes": str(self.state_bytes),
            "parameters": ",\n             ".join(self.parameters()),
            "arguments": "\n".join(f" *     {line}" for line in arguments),
            "further_codes": "",
            "set_up": text(f"set_up_{self.store}.h")
            .strip("\n")
            .format(name=name, NAME=name.upper(), bytes=blob_bytes(self.arrays)),
        }

    @property
    def _answers(self) -> dict[str, Quantity]:
        return {self.quantities[one.name]: one for one in self.outputs}

    def _ends(self) -> tuple[Quantity, ...]:
        return (*self.model.inputs, *self.outputs)

    def parameters(self) -> Iterator[str]:
        """Yield the parameters of a step: its inputs, then its outputs."""
        for quantity in self.model.inputs:
            word = self.quantities[quantity.name]
            yield f"int32_t {word}" if is_token(quantity) else f"const {self.number} *{word}"
        for quantity in self.outputs:
            yield f"{self.number} *{self.quantities[quantity.name]}"

    def step_call(self, *arguments: str) -> str:
        """Return an expression that takes a step, and is not 0 where that failed."""
        return f"{self.name}_step({', '.join(arguments)})"

    # -- the code --------------------------------------------------------------------------------------

    def code(self) -> str:
        """Return the text of NAME.c."""
        stages = "\n\n".join("\n".join(self._with_names(stage.lines)) for stage in self.stages)
        body = "\n".join(self._step())
        products = self.form.text(self.most_columns, stages)
        transform = text("fourier.c") if re.search(r"\bfourier\(", stages) else ""
        saving = "\n".join([*saving_lines(self), *(loading_lines(self) if self.store == "blob" else ())])
        saved = used_pieces("state.c", saving)
        written = self.arrays if self.store == "arrays" else ()
        functions = self._functions(f"{stages}\n{products}\n{saved}")
        pieces = [
            *comment(f"{self.name}.c; what it does stands in {self.name}.h."),
            f'#include "{self.name}.h"',
            "",
            "typedef char int_has_32_bits[sizeof(int) >= 4 ? 1 : -1]; /* else it would compute something else */",
            "",
            *(f"static const {array.c_type} {array.name}[{array.values.size}];" for array in written),
            "",
            functions,
            "",
            products,
            transform,
            stages,
            "",
            "\n".join(self._set_up()),
            "",
            body,
            "",
            *(() if self.frames is None else (self.frames.code(self.name, self._answers), "")),
            saved,
            "",
            saving,
            "",
            *(array_text(array) for array in written),
        ]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(pieces)).rstrip("\n") + "\n"

    def _functions(self, code: str) -> str:
        """Return the functions of single numbers that C uses."""
        return used_functions(code)

    def _with_names(self, lines: tuple[str, ...]) -> Iterator[str]:
        for line in lines:
            typed = re.sub(r"\bMODEL \*", f"{self.name}_model *", line)
            yield re.sub(r"\bSTATE \*", f"{self.name}_state *", typed)

    def _set_up(self) -> Iterator[str]:
        if self.store == "arrays":
            yield f"int {self.name}_init({self.name}_model *model) {{"
            yield from (f"    model->{array.name} = {array.name};" for array in self.arrays)
            if not self.arrays:
                yield "    model->none = 0;"
            yield f"    return {self.name.upper()}_OK;"
            yield "}"
            yield ""
        yield f"void {self.name}_reset({self.name}_state *state) {{"
        for field, size in self.states:
            yield f"    for (int unit = 0; unit < {size}; unit++) state->{field}[unit] = 0;"
        if not self.states:
            yield "    state->none = 0;"
        yield "}"

    def _step(self) -> Iterator[str]:
        name = self.name
        parameters = [f"const {name}_model *model", f"{name}_state *state", *self.parameters()]
        yield f"int {name}_step({', '.join(parameters)}) {{"
        for quantity in self.inner:
            yield f"    {self.number} {self.quantities[quantity.name]}[{quantity.size}];"
        for quantity in self.model.inputs:
            if is_token(quantity):
                word, most = self.quantities[quantity.name], self.model.tokens(quantity.name)
                bound = f" || {word} >= {most}" if most else ""
                yield f"    if ({word} < 0{bound}) return {name.upper()}_BAD_TOKEN;"
        calls = [re.sub(r"<(.+?)>", lambda found: self.quantities[found[1]], stage.call) for stage in self.stages]
        joined = "\n".join(calls)
        checked = [self.quantities[one.name] for one in self.model.inputs if is_token(one)]
        given = [self.quantities[one.name] for one in self._ends()]
        for word in ("model", "state", *(word for word in given if word not in checked)):
            if not re.search(rf"\b{word}\b", joined):
                yield f"    (void){word};"
        yield from indented(self._calls(calls))
        yield "}"

    def _calls(self, calls: Sequence[str]) -> Iterator[str]:
        yield from calls
        yield f"return {self.name.upper()}_OK;"


_ENDINGS = ("ok", "bad_token", "bad_state", "bad_weights", "state_bytes", "weight_bytes", "clipped")
"""The endings of macros, in capitals."""
