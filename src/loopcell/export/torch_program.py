"""A model's step for torch.export: every state goes in and comes out, and nothing is remembered in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from loopcell.backends.reference import Function, emit
from loopcell.backends.reference.emit import LIKE
from loopcell.equations import Key
from loopcell.equations.names import ascii_name
from loopcell.errors import InputError, UsageError
from loopcell.export.drawn import drawn
from loopcell.export.step_model import (
    Delay,
    Equations,
    Join,
    Lookup,
    MelBands,
    Slice,
    Softmax,
    Stage,
    StepModel,
    step_model_of,
)
from loopcell.export.step_model.checks import Data, check_of
from loopcell.export.verifying import verify_run

Tensors: TypeAlias = dict[str, Tensor]


def to_torch_program(
    model: object, *, rows: int | None = None, x: Data | None = None, tolerance: float = 1e-4
) -> ExportedProgram:
    """Return a model's step as a program of torch.export: (inputs, states) to (outputs, new states).

    Both are dictionaries of tensors by name: inputs and outputs [B, n], tokens [B], and states [B, n], which
    start as zeros. `torch.export.save` writes the program, and `torch.export.load` reads it without loopcell.

    Args:
        model: a network, a trained estimator or a `StepModel`, as `step_model_of` takes them.
        rows: B, where it is fixed, as ExecuTorch wants it; None lets every call have another one.
        x: a sequence by the name of each input, [T, n], or [T] of tokens, that the program is checked on; or what
            `model.step_check(X)` makes of your own data. None draws one.
        tolerance: the largest difference that passes, as in `verify`.

    Raises:
        InputError: `rows` is less than 1.
        UsageError: a stage has no such program, or the model has no step, as a bidirectional network.
        CheckFailed: the program does not compute what the model does.
    """
    step = step_model_of(model)
    count = 2 if rows is None else rows  # an example of one row would fix their count
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"rows={rows!r} must be None, or a whole number of at least 1")
    inputs = {
        one.name: torch.zeros(count, dtype=torch.int64) if one.kind == "token" else torch.zeros(count, one.size)
        for one in step.inputs
    }
    states = {name: torch.zeros(count, size) for name, size in step.states.items()}
    batch = {0: torch.export.Dim("batch", min=1)}
    dynamic = None if rows else tuple(dict.fromkeys(part, batch) for part in (inputs, states))
    program = torch.export.export(StepModule(step).eval(), (inputs, states), dynamic_shapes=dynamic)
    data = check_of(model, drawn(step) if x is None else x)
    verify_run(step, ProgramStream(program, step, rows or 1), data, tolerance=tolerance)
    return program


class StepModule(nn.Module):
    """A StepModel as a module without a memory; its parameters are buffers.

    Args:
        model: what it computes.

    Raises:
        UsageError: a stage is of a kind that has no module.
    """

    def __init__(self, model: StepModel) -> None:
        super().__init__()
        self._model = model
        self.stages = nn.ModuleList(_module_of(stage) for stage in model.stages)

    def forward(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """Take a step."""
        known, after = dict(inputs), dict[str, Tensor]()
        for stage, module in zip(self._model.stages, self.stages, strict=True):
            own = stage.gives.name
            before = {name: states[f"{own}.{name}"] for name in stage.states}
            known[own], new = module(known, before)
            after |= {f"{own}.{name}": value for name, value in new.items()}
        return {one.name: known[one.name] for one in self._model.outputs}, after


class ProgramStream:
    """A program of `to_torch_program`, run a step at a time for one stream; the state stays here.

    Args:
        program: the program.
        model: what it was made of.
        rows: B of the program; each row is given the same.

    Attributes:
        state: [B, n] by name.
    """

    def __init__(self, program: ExportedProgram, model: object, rows: int = 1) -> None:
        self._run, self._model, self._rows = program.module(), step_model_of(model), rows
        self.reset()

    def reset(self) -> None:
        """Start afresh."""
        self.state: Tensors = {name: torch.zeros(self._rows, size) for name, size in self._model.states.items()}

    def step(self, **inputs: npt.ArrayLike) -> dict[str, npt.NDArray[Any]]:
        """Take a step; gives the outputs by name, [n]."""
        given = {
            one.name: torch.from_numpy(
                np.array([inputs[one.name]] * self._rows, np.int64 if one.kind == "token" else np.float32)
            )
            for one in self._model.inputs
        }
        with torch.no_grad():
            outputs, self.state = self._run(given, self.state)
        return {name: value[0].numpy() for name, value in outputs.items()}


# -- stages ------------------------------------------------------------------------------------------


class _EquationsModule(nn.Module):
    def __init__(self, stage: Equations) -> None:
        super().__init__()
        self._stage = stage
        self._function: Function = emit(stage.graph, f"{ascii_name(stage.graph.name)}_step")
        read = [key.name for key in self._function.arguments if key.kind == "parameter"]
        for name in read:
            self.register_buffer(_held(name), torch.from_numpy(stage.parameters[name].copy()))
        # Stacked here, once: a step would do it anew.
        for at, pack in enumerate(self._function.packs):
            stacked = np.concatenate([stage.parameters[name] for name in pack])
            self.register_buffer(f"stacked{at}", torch.from_numpy(stacked))

    def forward(self, known: Tensors, states: Tensors) -> tuple[Tensor, Tensors]:
        stage = self._stage
        leaves: dict[Key, Tensor | int] = {Key("input", name): known[reads] for name, reads in stage.reads.items()}
        leaves |= {Key("state", name): value for name, value in states.items()}
        leaves |= {Key("size", name): size for name, size in stage.sizes.items()}
        like = next(iter([*states.values(), *(known[reads] for reads in stage.reads.values())]))
        leaves[LIKE] = like
        function = self._function
        fixed = [
            getattr(self, _held(key.name)) if key.kind == "parameter" else leaves[key] for key in function.arguments
        ]
        stacked = [getattr(self, f"stacked{at}") for at in range(len(function.packs))]
        results = dict(zip(function.results, function.call(*fixed, *stacked), strict=True))
        rows = like.shape[0]
        after = {name: _rows(results[Key("state", name)], rows, size) for name, size in stage.states.items()}
        return _rows(results[Key("output")], rows, stage.gives.size), after


def _held(parameter: str) -> str:
    """Return what the buffer of a parameter is called."""
    return parameter.replace(".", "_")


def _rows(value: Tensor, rows: int, size: int) -> Tensor:
    """Give a result its rows and length, also where it is the same for all rows, or one number."""
    # A tensor of its own: a program may not answer with what it was given.
    return value.expand(rows, size).clone()


class _LookupModule(nn.Module):
    table: Tensor

    def __init__(self, stage: Lookup) -> None:
        super().__init__()
        self._reads = stage.reads
        self.register_buffer("table", torch.from_numpy(stage.table.copy()))

    def forward(self, known: Tensors, _: Tensors) -> tuple[Tensor, Tensors]:
        return nn.functional.embedding(known[self._reads], self.table), {}


class _SoftmaxModule(nn.Module):
    def __init__(self, stage: Softmax) -> None:
        super().__init__()
        self._reads = stage.reads

    def forward(self, known: Tensors, _: Tensors) -> tuple[Tensor, Tensors]:
        return torch.softmax(known[self._reads], -1), {}


class _DelayModule(nn.Module):
    def __init__(self, stage: Delay) -> None:
        super().__init__()
        self._stage = stage

    def forward(self, known: Tensors, states: Tensors) -> tuple[Tensor, Tensors]:
        now, steps = known[self._stage.reads], self._stage.steps
        before = torch.where(states["begun"] != 0, states["recent"], now.repeat(1, steps))
        recent = torch.cat([before[:, self._stage.gives.size // steps :], now], -1)
        return recent, {"recent": recent.clone(), "begun": torch.ones_like(states["begun"])}


class _JoinModule(nn.Module):
    def __init__(self, stage: Join) -> None:
        super().__init__()
        self._reads = stage.reads

    def forward(self, known: Tensors, _: Tensors) -> tuple[Tensor, Tensors]:
        return torch.cat([known[name] for name in self._reads], -1), {}


class _SliceModule(nn.Module):
    def __init__(self, stage: Slice) -> None:
        super().__init__()
        self._reads, self._start, self._size = stage.reads, stage.start, stage.gives.size

    def forward(self, known: Tensors, _: Tensors) -> tuple[Tensor, Tensors]:
        # A tensor of its own: a program may not answer with what it was given.
        return known[self._reads].narrow(-1, self._start, self._size).clone(), {}


class _MelBandsModule(nn.Module):
    window: Tensor
    bank: Tensor

    def __init__(self, stage: MelBands) -> None:
        super().__init__()
        self._reads, self._size, self._floor = stage.reads, stage.fft_size, stage.floor
        for name, value in {"window": stage.window, "bank": stage.bank}.items():
            self.register_buffer(name, torch.from_numpy(np.array(value, np.float32)))

    def forward(self, known: Tensors, _: Tensors) -> tuple[Tensor, Tensors]:
        spectrum = torch.fft.rfft(known[self._reads] * self.window, self._size)
        energy = (spectrum.real.square() + spectrum.imag.square()) @ self.bank.T
        return energy.clamp_min(self._floor).log(), {}


_MODULES: dict[type, Callable[[Any], nn.Module]] = {
    Equations: _EquationsModule,
    Lookup: _LookupModule,
    Softmax: _SoftmaxModule,
    Delay: _DelayModule,
    Join: _JoinModule,
    Slice: _SliceModule,
    MelBands: _MelBandsModule,
}


def _module_of(stage: Stage) -> nn.Module:
    if type(stage) not in _MODULES:
        known = ", ".join(kind.__name__ for kind in _MODULES)
        raise UsageError(f"stage {stage.gives.name!r} is a {type(stage).__name__}, and programs are made of {known}")
    return _MODULES[type(stage)](stage)
