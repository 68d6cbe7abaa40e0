"""The state that travels from chunk to chunk, and how far back a gradient may follow it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from loopcell.errors import LoopcellError
from loopcell.training.step import ChunkSource, ChunkT, Clue, StateT, StepResult, TrainingStep

TreeT = TypeVar("TreeT")


class CarriedState(Generic[ChunkT, StateT]):
    """Truncated backpropagation through time over the chunks of one stream.

    A chunk starts from the state that the chunk before left, detached. With a window of m > 1 chunks the
    m - 1 chunks before the new one are run again, from the detached state that stood before them, so that the
    gradient of the new chunk's losses reaches m chunks back; those before had their turn.

    Args:
        step: gives the state before the first chunk.
        chunks: the stream.
        window: m, how many chunks a gradient flows through.
    """

    def __init__(self, step: TrainingStep[ChunkT, StateT], chunks: ChunkSource[ChunkT], window: int) -> None:
        self._step = step
        self._chunks = chunks
        self._earlier: deque[StateT] = deque(maxlen=window - 1)
        self.restart()

    def restart(self) -> None:
        """Forget everything: the next chunk is the first of the stream."""
        self._earlier.clear()
        self._state = self._step.initial_state(self._chunks.batch_size)

    def run(self, call: Callable[[ChunkT, StateT], StepResult[StateT]], index: int) -> StepResult[StateT]:
        """Run chunk `index` through `call` and carry the state on; its loss is ready for `backward`."""
        state = self._earlier[0] if self._earlier else self._state
        for earlier in range(index - len(self._earlier), index):
            state = call(self._chunks.chunk(earlier), state).state
        result = call(self._chunks.chunk(index), state)
        self._earlier.append(self._state)
        self._state = detach(result.state)
        return result

    def states(self) -> tuple[StateT, ...]:
        """Return everything that is carried, the newest state last."""
        return (*self._earlier, self._state)

    def chunks_from(self, states: tuple[StateT, ...], indices: Sequence[int]) -> Iterator[tuple[ChunkT, StateT]]:
        """Yield some chunks again, and those in the window before them, each with the state it starts from.

        Args:
            states: what was carried before the first of them.
            indices: the chunks, in order.
        """
        numbers = range(indices[0] - len(states) + 1, indices[-1] + 1)
        return with_states(self._step, map(self._chunks.chunk, numbers), states[0])

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that is carried, named `POSITION/LEAF`, the newest state last."""
        states = enumerate(self.states())
        return {f"{i}/{j}": leaf for i, state in states for j, leaf in enumerate(pytree.tree_leaves(state))}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        template = self._step.initial_state(self._chunks.batch_size)
        leaves, structure = pytree.tree_flatten(template)
        count = len(tensors) // max(1, len(leaves))
        states = [
            pytree.tree_unflatten([tensors[f"{i}/{j}"].to(leaf.device) for j, leaf in enumerate(leaves)], structure)
            for i in range(count)
        ]
        if states:
            *earlier, self._state = states
            self._earlier.clear()
            self._earlier.extend(earlier)


def with_states(
    step: TrainingStep[ChunkT, StateT], chunks: Iterable[ChunkT], state: StateT
) -> Iterator[tuple[ChunkT, StateT]]:
    """Yield chunks of a stream, each with the state that the step starts it from."""
    for chunk in chunks:
        yield chunk, state
        with torch.no_grad():
            state = step(chunk, state).state


def first_clue(cause: Callable[[ChunkT, StateT], Clue | None], chunks: Iterable[tuple[ChunkT, StateT]]) -> Clue | None:
    """Return the clue to the first chunk of which something is known."""
    try:
        return next(filter(None, (cause(chunk, state) for chunk, state in chunks)), None)
    except (LoopcellError, RuntimeError):  # such as too little memory: what is looked into must not go unsaid
        return None


def detach(tree: TreeT) -> TreeT:
    """Cut values from the graph that made them."""
    detached: TreeT = pytree.tree_map_only(Tensor, Tensor.detach, tree)
    return detached
