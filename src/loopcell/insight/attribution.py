"""Attribution: which steps of the input an answer stands on. It works in evaluation and on every device.

Gradient times input: Shrikumar et al., 2016 (arXiv 1605.01713). Integrated gradients: Sundararajan, Taly, Yan:
Axiomatic Attribution for Deep Networks, 2017 (arXiv 1703.01365), eq. 1 and 3. Occlusion: Zeiler, Fergus: Visualizing
and Understanding Convolutional Networks, 2014 (arXiv 1311.2901), section 4.2, by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from loopcell.errors import InputError
from loopcell.insight.plots import BLUE, GREY, ORANGE, axes_on, brief, style

Method = Literal["integrated_gradients", "gradient_x_input", "occlusion"]
Target = int | Tensor | Callable[[Any], Tensor] | None
STEPS = 64
MOST_LABELS = 80  # below the bars of a plot


@dataclass(frozen=True, eq=False)
class Attribution:
    """The share of each number of the input in an answer.

    Attributes:
        values: [T, B, I] (in the form of the input): what each number adds to the answer, against the baseline; in
            float32 where the input has fewer bits, as `answer` and `base`.
        answer: [B]: the answer for the input.
        base: [B]: the answer for the baseline; None where the method does not ask for it.
        batch_axis: where the rows are in `values`: 1, or 0 with batch_first.
    """

    values: Tensor
    answer: Tensor
    base: Tensor | None
    batch_axis: int = 1

    @property
    def by_step(self) -> Tensor:
        """Return what each step adds: the sum over its numbers, [T, B]."""
        return self.values.sum(-1)

    @property
    def gap(self) -> Tensor | None:
        """Return what the values do not explain of answer - base, [B]; near 0 for integrated gradients."""
        if self.base is None:
            return None
        return self.answer - self.base - self.values.sum((1 - self.batch_axis, 2))

    def plot(self, ax: Any = None, *, labels: Sequence[str] | None = None, row: int = 0) -> Any:
        """Draw what each step of a row adds to its answer, as bars: for it above zero, against it below.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `found.plot().figure`.
            labels: what stands at each step, T of them, such as tokens; None numbers the steps.
            row: of the batch.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
            InputError: there is no such row, or another number of labels than of steps.
        """
        rows, steps = self.values.shape[self.batch_axis], self.values.shape[1 - self.batch_axis]
        if not -rows <= row < rows:
            raise InputError(f"row: there are {rows} rows, and {row} is asked for")
        if labels is not None and len(labels) != steps:
            raise InputError(f"labels: {steps} steps were attributed, and there are {len(labels)} labels")
        with style():
            values = self.by_step.select(self.batch_axis, row).double().cpu().numpy()
            ax = axes_on(ax, max(4.0, min(12.0, 1.5 + 0.22 * steps)), 3.0)
            ax.bar(range(steps), values, color=np.where(values < 0, ORANGE, BLUE))
            ax.axhline(0.0, color=GREY, linewidth=0.8)
            if labels is not None and steps <= MOST_LABELS:
                names = [brief(label) for label in labels]
                ax.set_xticks(range(steps), names, rotation=90 * (max(map(len, names)) > 1), parse_math=False)
            else:
                ax.set_xlabel("step")
            ax.set_ylabel("adds to the answer")
        return ax


def attribute(
    model: Callable[[Tensor], Any],
    x: Tensor,
    target: Target = None,
    *,
    method: Method = "integrated_gradients",
    baseline: Tensor | float = 0.0,
    steps: int = STEPS,
    batch_axis: int = 1,
) -> Attribution:
    """Return what each number of an input adds to an answer.

    Args:
        model: a module or function of the input: a `Recurrent`, which gives an output and a state, or anything that
            gives [B, K]. It is used as it is, in evaluation or training.
        x: [T, B, I].
        target: of an output [B, K] the column, or one a row [B]; of anything else a function from it to [B]. None
            sums the last step's output of a recurrent layer, or takes what is [B] already.
        method: "integrated_gradients" from the baseline to the input, "gradient_x_input" at the input, or
            "occlusion": the answer's loss when a step is replaced by the baseline.
        baseline: an input that says nothing; a number, or a tensor that x's shape can be made of.
        steps: points on the way from the baseline (the midpoint rule), for integrated gradients.
        batch_axis: where the rows are: 1, or 0 with batch_first.

    Raises:
        InputError: x is not such a tensor or has no step, the baseline does not fit it, the method is none, the target
            is no column, or the answer is not one number a row.
    """
    if not isinstance(x, Tensor) or x.dim() != 3 or not x.is_floating_point() or batch_axis not in (0, 1):
        raise InputError("attribution takes numbers [T, B, I]; of tokens, attribute the vectors of their embedding")
    if not x.numel():
        raise InputError(f"nothing to attribute: an input of {list(x.shape)} has no step")
    x, base = x.detach(), _baseline(baseline, x)

    def answer(inputs: Tensor) -> Tensor:
        return _wide(_answer(model(inputs), target, x.shape[batch_axis], batch_axis))

    if method == "gradient_x_input":
        value, gradient = _gradient(answer, x)
        return Attribution(_wide(gradient) * _wide(x), value, None, batch_axis)
    if method == "integrated_gradients":
        return _integrated(answer, x, base, steps, batch_axis)
    if method == "occlusion":
        return _occluded(answer, x, base, batch_axis)
    raise InputError(f"a method is integrated_gradients, gradient_x_input or occlusion, not {method!r}")


def _wide(value: Tensor) -> Tensor:
    """Return numbers with at least the bits of float32: a sum of many bfloat16 loses what is added last."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _baseline(given: Tensor | float, x: Tensor) -> Tensor:
    base = torch.as_tensor(given, dtype=x.dtype, device=x.device).detach()
    try:
        return base.expand_as(x)
    except RuntimeError:
        raise InputError(f"a baseline of {list(base.shape)} is no input of {list(x.shape)}") from None


def _integrated(
    answer: Callable[[Tensor], Tensor], x: Tensor, base: Tensor, steps: int, batch_axis: int
) -> Attribution:
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise InputError(f"steps is a whole number of at least 1, not {steps!r}")
    start, way = _wide(base), _wide(x) - _wide(base)
    total = torch.zeros_like(way)
    for number in range(steps):
        share = (number + 0.5) / steps
        total += _gradient(answer, (start + share * way).to(x.dtype))[1]
    with torch.no_grad():
        return Attribution(way * total / steps, answer(x), answer(base), batch_axis)


def _occluded(answer: Callable[[Tensor], Tensor], x: Tensor, base: Tensor, batch_axis: int) -> Attribution:
    """Give all of a step's loss to the step; it is spread evenly over its numbers."""
    time = 1 - batch_axis
    with torch.no_grad():
        whole = answer(x)
        values = torch.zeros_like(_wide(x))
        for step in range(x.shape[time]):
            without = x.clone()
            without.select(time, step).copy_(base.select(time, step))
            lost = (whole - answer(without)).unsqueeze(-1) / x.shape[-1]
            values.select(time, step).copy_(lost.expand(-1, x.shape[-1]))
    return Attribution(values, whole, None, batch_axis)


def _gradient(answer: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        inputs = x.detach().requires_grad_()
        value = answer(inputs)
        if not value.requires_grad:
            raise InputError("the answer does not depend on the input: it has no gradient")
        (gradient,) = torch.autograd.grad(value.sum(), inputs, allow_unused=True, materialize_grads=True)
    return value.detach(), gradient


def _answer(found: Any, target: Target, rows: int, batch_axis: int) -> Tensor:
    """Return one number a row, [B], of what a model gave."""
    output = found[0] if isinstance(found, tuple) else found
    if callable(target):
        output = target(output)
    elif not isinstance(output, Tensor):
        pass  # refused below
    elif output.dim() == 3 and target is None:
        output = output.select(1 - batch_axis, -1).sum(-1)
    elif output.dim() == 2 and target is not None:
        columns = _columns(target, rows, output.shape[-1]).to(output.device)
        output = output.gather(-1, columns.unsqueeze(-1)).squeeze(-1)
    if not isinstance(output, Tensor) or output.shape != (rows,):
        shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"the answer must be one number a row, [{rows}], not {shape}: name a column with target=, or give a "
            "function from the output to it"
        )
    return output


def _columns(target: Any, rows: int, count: int) -> Tensor:
    """Return the column of each row, [B].

    Raises:
        InputError: there is none of that number, or another number of them than of rows.
    """
    allowed = f"a target is a column from 0 to {count - 1}, or {rows} of them, one a row"
    whole = isinstance(target, int | np.integer) or (isinstance(target, Tensor) and not target.is_floating_point())
    if not whole or isinstance(target, bool):
        raise InputError(f"{allowed}; got {target!r}")
    columns = torch.as_tensor(target, dtype=torch.int64)
    if columns.shape not in ((), (rows,)) or int(columns.min()) < 0 or int(columns.max()) >= count:
        raise InputError(f"{allowed}; got {target!r}")
    return columns.expand(rows)
