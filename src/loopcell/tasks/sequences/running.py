"""Running answers: what a model says after each step that it has read, by what it keeps of the steps before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data.examples import Scale
from loopcell.errors import UsageError
from loopcell.tasks.core.networks.many_to_one import ManyToOne, precise
from loopcell.tasks.core.networks.pooling import LastPooling, MaxMeanPooling, MaxPooling, MeanPooling
from loopcell.tasks.sequences.aligned import Aligned
from loopcell.tasks.sequences.linear import LinearOfSummaries
from loopcell.tasks.sequences.targets import Classes, StepLabels

ResultT = TypeVar("ResultT")
Floats = npt.NDArray[Any]
Memory = Mapping[str, Tensor]
"""What is kept of the steps before, beside the states of the layers; each [1, 1, n], by name."""


class TaggedStep(NamedTuple):
    """The answer of a tagger to a step, or of a classifier to all steps so far.

    Attributes:
        label: the most probable one; where there may be several, a list of those that are more probable than not.
        probabilities: [K], in the order of `classes_`.
    """

    label: Any
    probabilities: Floats


class RunningNumber(NamedTuple):
    """The answer of a regressor to all steps so far.

    Attributes:
        value: the number, or several, [K], as `predict` gives them.
    """

    value: Any


class RunningAnswers(ABC, Generic[ResultT]):
    """The answers of a model after each step.

    Attributes:
        names: of what `record` gives; fields: of what `flat` gives.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]

    @abstractmethod
    def at_rest(self) -> Memory:
        """Return what is kept before the first step."""

    @abstractmethod
    def after(self, outputs: Tensor, inputs: Tensor, memory: Memory) -> tuple[list[ResultT], Memory]:
        """Give the answer after each step.

        Args:
            outputs: of the recurrent layers, [T, O].
            inputs: as the network reads them, [T] or [T, I].
            memory: of the steps before.

        Returns:
            An answer a step, the same however the steps are cut into calls; and the memory after the last one.
        """

    @abstractmethod
    def mean_of(self, results: Sequence[ResultT]) -> ResultT:
        """Return the mean of the answers of several networks to one step."""

    @abstractmethod
    def numbers(self, result: ResultT) -> Floats:
        """Return the numbers of an answer, which are to be finite."""

    @abstractmethod
    def record(self, result: ResultT) -> dict[str, Any]:
        """Return an answer as JSON values."""

    @abstractmethod
    def flat(self, result: ResultT) -> list[Any]:
        """Return an answer as cells."""


class LabelAnswers(RunningAnswers[TaggedStep]):
    """Labels and their probabilities.

    Args:
        classes: the labels [K].
    """

    names = ("label", "probabilities")

    def __init__(self, classes: npt.NDArray[Any]) -> None:
        self._classes = classes
        self.fields = ("label", *(f"p_{label}" for label in classes))

    def numbers(self, result: TaggedStep) -> Floats:
        """Return the probabilities."""
        return result.probabilities

    def record(self, result: TaggedStep) -> dict[str, Any]:
        """Return the label and the probabilities by label."""
        shares = zip(self._classes, result.probabilities.tolist(), strict=True)
        return {"label": result.label, "probabilities": {str(label): share for label, share in shares}}

    def flat(self, result: TaggedStep) -> list[Any]:
        """Return the label and the probabilities as cells; several labels are one cell."""
        label = " ".join(map(str, result.label)) if isinstance(result.label, list) else result.label
        return [label, *result.probabilities.tolist()]


class TagAnswers(LabelAnswers):
    """The answers of a tagger: each step has its own.

    Args:
        network: trained.
        targets: its labels.
        temperature: by which scores are divided.
        classes: the labels [K].
    """

    def __init__(self, network: Aligned, targets: StepLabels, temperature: Tensor, classes: npt.NDArray[Any]) -> None:
        super().__init__(classes)
        self._network, self._targets, self._temperature = network, targets, temperature

    def at_rest(self) -> Memory:
        """Return nothing: a step's answer needs no other step's."""
        return {}

    def after(self, outputs: Tensor, inputs: Tensor, memory: Memory) -> tuple[list[TaggedStep], Memory]:
        """Give the answer to each step; see `RunningAnswers.after`."""
        if not len(outputs):
            return [], memory
        # Row by row: the sums of a product of many rows may be added up in another order.
        rows = [outputs[step : step + 1] for step in range(len(outputs))]
        return self.of_scores(torch.cat([precise(self._network.head(row)) for row in rows])), memory

    def mean_of(self, results: Sequence[TaggedStep]) -> TaggedStep:
        """Return the label of the mean of probabilities."""
        mean = np.mean([one.probabilities for one in results], axis=0)
        scores = np.log(mean) if not self._targets.several else np.log(mean) - np.log1p(-mean)
        return TaggedStep(self._targets.plain(self._targets.best(torch.from_numpy(scores)[None]).numpy())[0], mean)

    def of_scores(self, scores: Tensor) -> list[TaggedStep]:
        """Return the answers for scores [T, K]."""
        labels = self._targets.plain(self._targets.best(scores).cpu().numpy())
        shares = self._targets.probabilities(scores / self._temperature).cpu().numpy()
        return [TaggedStep(label, row) for label, row in zip(labels, shares, strict=True)]


class PooledAnswers(RunningAnswers[ResultT]):
    """The answers of a model that pools all steps into one vector: here those so far.

    Args:
        network: trained.

    Raises:
        UsageError: it pools in a way that needs all steps at once.
    """

    def __init__(self, network: ManyToOne) -> None:
        self._network, pooling = network, network.pooling
        self._last, self._max, self._mean = (
            isinstance(pooling, kind) for kind in (LastPooling, MaxPooling, MeanPooling)
        )
        if isinstance(pooling, MaxMeanPooling):
            self._max = self._mean = True
        elif not (self._last or self._max or self._mean):
            raise UsageError(
                "this model pools with attention, whose weights depend on steps that have not come: fit one with "
                'pooling="last", "mean" or "max" for a stream'
            )
        self._beside = network.beside if isinstance(network.beside, LinearOfSummaries) else None

    @abstractmethod
    def of_scores(self, scores: Tensor) -> ResultT:
        """Return the answer for what the network gives, [1, K]."""

    def at_rest(self) -> Memory:
        """Return what is kept before the first step: a count, a largest value, a sum, summaries of the inputs."""
        like = self._network.head.weight
        size = self._network.reader.output_size
        found = {"count": like.new_zeros((1, 1, 1), dtype=torch.int64)}
        if self._max:
            found["largest"] = like.new_full((1, 1, size), -torch.inf)
        if self._mean:
            found["sum"] = like.new_zeros((1, 1, size), dtype=_longest(like))
        if self._beside is not None:
            found |= {name: like.new_zeros((1, 1, self._beside.columns), dtype=_longest(like)) for name in _SEEN}
        return found

    def after(self, outputs: Tensor, inputs: Tensor, memory: Memory) -> tuple[list[ResultT], Memory]:
        """Give the answer to all steps up to each; see `RunningAnswers.after`."""
        found = []
        for step in range(len(outputs)):
            output, now = outputs[step : step + 1], inputs[step : step + 1]
            memory = self._kept(output, now, memory)
            given = precise(self._network.head(self._pooled(output, memory)))
            if self._beside is not None:
                given = self._beside.between(self._beside.of_figures(_figures(memory)), given)
            found.append(self.of_scores(given))
        return found, memory

    def _kept(self, output: Tensor, now: Tensor, memory: Memory) -> Memory:
        count = memory["count"] + 1
        after = {**memory, "count": count}
        if self._max:
            after["largest"] = torch.maximum(memory["largest"], output[None])
        if self._mean:
            after["sum"] = memory["sum"] + output[None]
        if self._beside is not None:
            after |= _seen(now[:, : self._beside.columns].to(memory["middle"])[None], count, memory)
        return after

    def _pooled(self, output: Tensor, memory: Memory) -> Tensor:
        if self._last:
            return output
        parts = [memory["largest"][0]] if self._max else []
        if self._mean:
            parts.append((memory["sum"][0] / memory["count"][0]).to(output.dtype))
        return torch.cat(parts, -1)


class ClassAnswers(PooledAnswers[TaggedStep], LabelAnswers):
    """The answers of a classifier.

    Args:
        network: trained.
        targets: its labels.
        temperature: by which scores are divided.
        classes: the labels [K].
    """

    def __init__(self, network: ManyToOne, targets: Classes, temperature: Tensor, classes: npt.NDArray[Any]) -> None:
        PooledAnswers.__init__(self, network)
        LabelAnswers.__init__(self, classes)
        self._targets, self._temperature = targets, temperature.double().cpu()

    def of_scores(self, scores: Tensor) -> TaggedStep:
        """Return the most probable label, and the probabilities."""
        return self._of(self._targets.probabilities(scores.double().cpu() / self._temperature).numpy())

    def mean_of(self, results: Sequence[TaggedStep]) -> TaggedStep:
        """Return the label of the mean of probabilities."""
        return self._of(np.mean([[one.probabilities] for one in results], axis=0))

    def _of(self, shares: Floats) -> TaggedStep:
        return TaggedStep(self._targets.plain(shares)[0], shares[0])


class NumberAnswers(PooledAnswers[RunningNumber]):
    """The answers of a regressor.

    Args:
        network: trained.
        scale: of the targets.
        outputs: K; None where the answer is one number, not a list.
    """

    def __init__(self, network: ManyToOne, scale: Scale, outputs: int | None) -> None:
        super().__init__(network)
        self._scale, self._outputs = scale, outputs
        self.names = ("value",) if outputs is None else ("values",)
        self.fields = ("value",) if outputs is None else tuple(f"value_{at}" for at in range(1, outputs + 1))

    def of_scores(self, scores: Tensor) -> RunningNumber:
        """Return the numbers on the scale of training's targets."""
        row = self._scale.undo(scores.double().cpu().numpy())[0]
        return RunningNumber(float(row[0]) if self._outputs is None else row)

    def mean_of(self, results: Sequence[RunningNumber]) -> RunningNumber:
        """Return the mean of numbers."""
        mean = np.mean([one.value for one in results], axis=0)
        return RunningNumber(float(mean) if self._outputs is None else mean)

    def numbers(self, result: RunningNumber) -> Floats:
        """Return the number or numbers."""
        return np.atleast_1d(result.value)

    def record(self, result: RunningNumber) -> dict[str, Any]:
        """Return the number, or the list of numbers."""
        return {self.names[0]: result.value if self._outputs is None else result.value.tolist()}

    def flat(self, result: RunningNumber) -> list[Any]:
        """Return a cell for each number."""
        return [float(one) for one in self.numbers(result)]


# --- summaries of the inputs so far --------------------------------------------------------------------------------

_SEEN = ("middle", "squares", "least", "most", "first", "newest")


def _longest(like: Tensor) -> torch.dtype:
    return torch.float32 if like.device.type == "mps" else torch.float64  # MPS has no float64


def _seen(now: Tensor, count: Tensor, memory: Memory) -> dict[str, Tensor]:
    """Return mean, sum of squared deviations, least, largest, first and newest values [1, 1, I] with one step more.

    Welford: Note on a method for calculating corrected sums of squares and products, 1962.
    """
    if int(count) == 1:
        return {name: torch.zeros_like(now) if name == "squares" else now for name in _SEEN}
    off = now - memory["middle"]
    middle = memory["middle"] + off / count
    return {
        "middle": middle,
        "squares": memory["squares"] + off * (now - middle),
        "least": torch.minimum(memory["least"], now),
        "most": torch.maximum(memory["most"], now),
        "first": memory["first"],
        "newest": now,
    }


def _figures(memory: Memory) -> Tensor:
    """Return what `summaries` of a whole sequence gives, of the steps so far, [1, 6 I + 1]."""
    count = memory["count"][0].to(memory["middle"])
    deviation = (memory["squares"][0] / count).sqrt()
    others = (memory[name][0] for name in ("least", "most", "first", "newest"))
    return torch.cat([memory["middle"][0], deviation, *others, count], -1)
