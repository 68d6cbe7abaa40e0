"""Running answers of an ensemble: each network has its own, and what comes out is their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from loopcell.tasks.sequences.running import Floats, Memory, RunningAnswers

ResultT = TypeVar("ResultT")


class AveragedAnswers(RunningAnswers[ResultT]):
    """The mean of the answers of several networks that read the same.

    Args:
        members: the answers of each.
        widths: how many outputs the recurrent layers of each have; `after` is given them side by side.
    """

    def __init__(self, members: Sequence[RunningAnswers[ResultT]], widths: Sequence[int]) -> None:
        self._members, self._widths = list(members), list(widths)
        self.names, self.fields = members[0].names, members[0].fields

    def at_rest(self) -> Memory:
        """Return what each of them keeps before the first step."""
        return _numbered([member.at_rest() for member in self._members])

    def after(self, outputs: Tensor, inputs: Tensor, memory: Memory) -> tuple[list[ResultT], Memory]:
        """Give the mean of the answers after each step; see `RunningAnswers.after`."""
        parts = torch.split(outputs, self._widths, -1)
        own = [_of_number(memory, number) for number in range(len(self._members))]
        each = [one.after(part, inputs, kept) for one, part, kept in zip(self._members, parts, own, strict=True)]
        found = [self.mean_of(results) for results in zip(*(results for results, _ in each), strict=True)]
        return found, _numbered([kept for _, kept in each])

    def mean_of(self, results: Sequence[ResultT]) -> ResultT:
        """Return the mean of answers to one step."""
        return self._members[0].mean_of(results)

    def numbers(self, result: ResultT) -> Floats:
        """Return the numbers of an answer."""
        return self._members[0].numbers(result)

    def record(self, result: ResultT) -> dict[str, Any]:
        """Return an answer as JSON values."""
        return self._members[0].record(result)

    def flat(self, result: ResultT) -> list[Any]:
        """Return an answer as cells."""
        return self._members[0].flat(result)


def _numbered(memories: Sequence[Memory]) -> Memory:
    return {f"{number}.{name}": one for number, memory in enumerate(memories) for name, one in memory.items()}


def _of_number(memory: Memory, number: int) -> Memory:
    start = f"{number}."
    return {name.removeprefix(start): one for name, one in memory.items() if name.startswith(start)}
