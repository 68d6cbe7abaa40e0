"""The kernel path: a cell's kernels called on tensors, with their gradient.

`KernelRunner` has what a cell with known sizes needs; from tensors it makes a `KernelCall`, which runs any tensors of
the same form. Kernels are bound to a signature once (`BoundKernels`), and a call without lengths and resets is prepared
once for each T and B.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from loopcell.backends.c import BackwardPass, ForwardPass, Kernels, KernelSignature, Launch, SavedForBackward
from loopcell.backends.c.launch.arguments import contiguous_rows
from loopcell.backends.c.launch.choice import ProductChoice
from loopcell.backends.c.toolchain.threads import granted
from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import WeightLayout, Weights
from loopcell.equations.keys import Key
from loopcell.errors import TensorError
from loopcell.runtime.asked import demanded, refuse_fallback
from loopcell.runtime.dispatch import are_plain, described, is_in_memory, nothing_at_work, observer, transformation
from loopcell.runtime.obstacles import HIGHER_ORDER, Obstacle, not_built, observed_backward, other_tensor
from loopcell.runtime.programs import Programs, kernels_of, why_not_built

_MOST_SIGNATURES = 64
"""A bound on memory: dropped weights, for one, have a layout of their own at every call."""
_MOST_WORK_ALONE = 200_000
"""Multiplications below which waking a second thread costs more than it gives."""
_FEWEST_ROWS = ((64_000, 1), (500_000, 4), (math.inf, 8))
"""Rows that are a share of their own, up to so many multiplications of a row and step.

At every step a thread reads the weights of all its units, for all rows of its share: for few rows, and the more so
where weights do not fit into a core's cache, it pays that threads have fewer units each.
"""
_LEAST_BETWEEN_MEETINGS = 8_000
"""Multiplications of a step, for each member of a team, below which waiting for others costs more than it gives."""
_UNITS_OF_A_BLOCK = 16
"""Units that are computed together: a member without a block would only be waited for."""

RunResults = tuple[Tensor, list[Tensor], dict[str, Tensor]]
"""The output [T, B, O], the final states [B, n] in the cell's order, and what is recorded [T, B, n] by name."""


class BoundKernels:
    """Kernels for calls with one signature; each pass is made when a call needs it.

    Attributes:
        programs: the cell.
        signature: its kernels, and what is known of the calls before their tensors are there.
    """

    def __init__(self, programs: Programs, signature: KernelSignature) -> None:
        self.programs = programs
        self.signature = signature

    @cached_property
    def inference(self) -> ForwardPass:
        """The forward loop that saves nothing."""
        return ForwardPass(self.signature, self.signature.kernels.forward, saves=False)

    @cached_property
    def training(self) -> ForwardPass:
        """The forward loop that saves what `backward` reads."""
        return ForwardPass(self.signature, self.signature.kernels.forward_and_save, saves=True)

    @cached_property
    def backward(self) -> BackwardPass:
        """The reverse loop."""
        assert self.training.saved is not None  # it saves
        return BackwardPass(self.signature, self.training.saved)


@dataclass(frozen=True, slots=True, eq=False)
class KernelCall:
    """One call, less its tensors.

    Attributes:
        bound: what runs.
        launch: how the rows run.
    """

    bound: BoundKernels
    launch: Launch

    def run(self, tensors: list[Tensor]) -> RunResults:
        """Run the cell over a sequence.

        Args:
            tensors: what the signature's keys name, then those of the weights; the last axis of each contiguous.
        """
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            output, *rest = _KernelFunction.apply(self, *tensors)  # type: ignore[no-untyped-call]
        else:
            output, *rest = self.bound.inference.run(self.launch, tensors)[0]
        kernels = self.bound.signature.kernels
        count = len(kernels.states)
        return output, rest[:count], dict(zip(kernels.recorded, rest[count:], strict=True))


class _KernelFunction(torch.autograd.Function):
    """The forward and the backward kernel as one differentiable function."""

    @staticmethod
    def forward(ctx: Any, call: KernelCall, *tensors: Tensor) -> tuple[Tensor, ...]:
        results, saved = call.bound.training.run(call.launch, tensors, share=True)
        assert saved is not None  # this pass saves
        ctx.call, ctx.demanded = call, demanded()
        shared = () if saved.steps is None else (saved.steps,)
        to_save = (*tensors, saved.block, *shared)
        ctx.save_for_backward(*to_save)
        ctx.shapes = [tensor.shape for tensor in to_save]
        ctx.dtype = saved.block.dtype
        ctx.output = None if saved.steps is None else Version(results[0])
        ctx.mark_non_differentiable(*results[1 + len(call.bound.signature.kernels.states) :])
        ctx.set_materialize_grads(False)  # a gradient that is not there comes as None, for which nothing is computed
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, *d_rest: Tensor | None) -> tuple[Tensor | None, ...]:
        call: KernelCall = ctx.call
        signature = call.bound.signature
        count = len(signature.keys) + len(signature.shapes)
        all_saved = ctx.saved_tensors
        check_returned(all_saved, ctx.shapes, ctx.dtype)
        tensors, saved = all_saved[:count], all_saved[count:]
        arriving = (d_output, *d_rest[: len(signature.kernels.states)])
        wanted = ctx.needs_input_grad[1:]
        # A gradient of this gradient, or an observer, needs operations to see: the same equations as PyTorch's.
        if torch.is_grad_enabled() or not (nothing_at_work() and are_plain(arriving) and are_plain(all_saved)):
            refuse_fallback(obstacle_of_backward((*arriving, *all_saved)), earlier=ctx.demanded)
            return (None, *_by_reference(call, tensors, arriving, wanted))
        # A hook on saved tensors may have brought them back in another layout.
        tensors = [contiguous_rows(tensor) for tensor in tensors]
        if ctx.output is not None and ctx.output.changed():
            block = _saved_anew(call, tensors)
        else:
            block = SavedForBackward(call.bound.backward.saved, *[tensor.contiguous() for tensor in saved])
        return (None, *call.bound.backward.run(call.launch, tensors, block, arriving, wanted))


def obstacle_of_backward(tensors: Sequence[Tensor | None]) -> Obstacle:
    """Return why the reverse kernel does not run on these gradients and saved tensors."""
    at_work = HIGHER_ORDER if torch.is_grad_enabled() else transformation()
    if at_work is not None:
        return at_work
    strange = [tensor for tensor in tensors if tensor is not None and not is_in_memory(tensor)]
    return other_tensor(described(strange[0])) if strange else observed_backward(str(observer()))


def check_returned(saved: Sequence[Tensor], shapes: Sequence[torch.Size], dtype: torch.dtype) -> None:
    """Refuse what hooks on saved tensors have put in their place, where a kernel would read something else in it.

    Raises:
        TensorError: a shape or dtype is not that of what was saved.
    """
    for tensor, shape in zip(saved, shapes, strict=True):
        if tensor.shape != shape or tensor.dtype != dtype:
            raise TensorError(
                f"a {dtype} tensor {list(shape)} was saved for the gradient, and a hook on saved tensors returned a "
                f"{tensor.dtype} tensor {list(tensor.shape)}; it must return what was saved"
            )


class Version:
    """The version of an output, without holding its memory: tells later whether the output was written to."""

    def __init__(self, output: Tensor) -> None:
        # A detached tensor counts versions together with its origin, also once it has given up the common memory.
        self._counter = output.detach()
        self._counter.data = output.new_empty(0)
        self._seen = output._version  # noqa: SLF001 - torch has no public word for it

    def changed(self) -> bool:
        """Say whether the output has been written to."""
        return self._counter._version != self._seen  # noqa: SLF001


def _saved_anew(call: KernelCall, tensors: Sequence[Tensor]) -> SavedForBackward:
    """Run forward once more, for a caller who has written to the output in which saved values lay (`y.relu_()`)."""
    saved = call.bound.training.run(call.launch, tensors)[1]
    assert saved is not None  # this pass saves
    return saved


def _by_reference(
    call: KernelCall, tensors: Sequence[Tensor], arriving: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients by PyTorch operations."""
    signature = call.bound.signature
    leaves = dict(zip(signature.keys, tensors, strict=False))
    weights = Weights(tuple(tensors[len(signature.keys) :]), signature.layout)
    return call.bound.programs.reference_gradients(
        leaves, weights, signature.sizes, call.launch.lengths, arriving, wanted
    )


def threads_for(multiplications: int, batch: int) -> int:
    """Return how many threads share the rows: as many as PyTorch may have, and one where there is little to do."""
    if batch > 1 and multiplications > _MOST_WORK_ALONE:
        return granted(min(torch.get_num_threads(), batch))
    return 1


class Crew(NamedTuple):
    """The threads of a call.

    Attributes:
        threads: how many there are: the members of all teams.
        team: how many go through one share of the rows together, each with a part of the units.
    """

    threads: int
    team: int


def crew_for(steps: int, batch: int, multiplications: int, units: int) -> Crew:
    """Return how threads share a call: by rows where there are many, and by units where there are few.

    Args:
        steps: T.
        batch: B.
        multiplications: of a step of one row.
        units: of the widest state.
    """
    wanted = torch.get_num_threads()
    if steps * batch * multiplications <= _MOST_WORK_ALONE:
        return Crew(1, 1)
    fewest = next(rows for most, rows in _FEWEST_ROWS if multiplications <= most)
    shares = max(1, min(wanted, batch // fewest))
    work = -(-batch // shares) * multiplications
    team = min(wanted // shares, work // _LEAST_BETWEEN_MEETINGS, -(-units // _UNITS_OF_A_BLOCK))
    crew = Crew(shares * team, team) if team > 1 else Crew(min(wanted, batch), 1)
    return crew if granted(crew.threads) == crew.threads else Crew(1, 1)


class KernelRunner:
    """A cell's kernels with known sizes.

    Args:
        programs: the cell.
        sizes: every size by name.
    """

    def __init__(self, programs: Programs, sizes: Mapping[str, int]) -> None:
        self.programs = programs
        self.sizes = sizes
        self._bound: dict[tuple[Kernels, tuple[Key, ...], WeightLayout], BoundKernels] = {}
        self._plain: dict[tuple[BoundKernels, int, int, Crew], KernelCall] = {}
        shapes = programs.fused.core.parameters.values()
        core = programs.fused.core
        widths = (core.nodes[core.result("state", state)].dims for state in core.states)
        self._units = max((sizes[dims[0]] for dims in widths if dims), default=1)
        self._multiplications = sum(math.prod(sizes[size] for size in shape) for shape in shapes if len(shape) > 1)

    def kernels(self, dtype: torch.dtype, choice: ProductChoice) -> Kernels | None:
        """Return the compiled loops; None where they cannot be built.

        Args:
            dtype: of the tensors.
            choice: what products multiply.

        Raises:
            UsageError: they cannot, and are demanded.
        """
        found = kernels_of(self.programs, dtype, choice.factors, choice.tiles)
        if found is None:
            refuse_fallback(not_built(str(why_not_built(self.programs, dtype, choice.factors))))
        return found

    def prepare(
        self, kernels: Kernels, leaves: dict[Key, Tensor], weights: Weights, lengths: Lengths
    ) -> tuple[KernelCall, list[Tensor]]:
        """Return what to run, and on which tensors.

        Args:
            kernels: what `kernels` returned.
            leaves: the input, the states, the draws, by key; the input first.
            weights: the parameters.
            lengths: where rows end and start afresh.

        Raises:
            TensorError: the tensors are of several dtypes.
        """
        if self.programs.once is not None:  # computed by PyTorch, which has the gradient too: no kernel has to
            leaves = {**leaves, **self.programs.invariants(leaves, weights, self.sizes)}
        bound = self._bind(kernels, tuple(leaves), weights)
        tensors = [contiguous_rows(tensor) for tensor in (*leaves.values(), *weights.bases)]
        if any(tensor.dtype != tensors[0].dtype for tensor in tensors):  # numbers would be read past a tensor's end
            raise TensorError(f"kernels read one dtype; got {', '.join(sorted({str(one.dtype) for one in tensors}))}")
        batch = tensors[0].shape[1]
        crew = self.crew(lengths.steps, batch)
        whole = lengths.lengths is None or lengths.order is None
        if whole and lengths.reset is None:
            return self._plain_call(bound, lengths.steps, batch, crew), tensors
        if lengths.reset is not None and not lengths.reset.is_contiguous():  # kernels read it as it lies
            lengths = Lengths(lengths.steps, lengths.lengths, lengths.reset.contiguous())
        rows = lengths.steps * batch if whole else lengths.valid_steps
        return KernelCall(bound, Launch(lengths, batch, crew.threads, rows, crew.team)), tensors

    def crew(self, steps: int, batch: int) -> Crew:
        """Return how threads share a call; see `crew_for`."""
        return crew_for(steps, batch, self._multiplications, self._units)

    def _plain_call(self, bound: BoundKernels, steps: int, batch: int, crew: Crew) -> KernelCall:
        """Return what to run where no row ends early or starts afresh: the same at every such call."""
        # The same object each time, since a launch remembers the struct that it filled in.
        key = (bound, steps, batch, crew)
        call = self._plain.get(key)
        if call is None:
            if len(self._plain) > _MOST_SIGNATURES:
                self._plain.clear()
            launch = Launch(Lengths(steps), batch, crew.threads, steps * batch, team=crew.team)
            call = self._plain.setdefault(key, KernelCall(bound, launch))
        return call

    def _bind(self, kernels: Kernels, keys: tuple[Key, ...], weights: Weights) -> BoundKernels:
        """Return kernels bound to the signature of such tensors, made once."""
        key = (kernels, keys, weights.layout)
        bound = self._bound.get(key)
        if bound is None:
            shapes = tuple(base.shape for base in weights.bases)
            signature = KernelSignature(kernels, self.sizes, keys, weights.layout, shapes)
            if len(self._bound) > _MOST_SIGNATURES:
                self._bound.clear()
            bound = self._bound[key] = BoundKernels(self.programs, signature)
        return bound
