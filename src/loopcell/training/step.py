"""The two small interfaces that the training loop asks for: of a model and of its data.

The loop knows neither texts nor labels. A task hands it a module that turns a chunk of data and a state into
a loss and the next state, and a source of chunks that can be asked for by number.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

ChunkT = TypeVar("ChunkT")
ChunkT_co = TypeVar("ChunkT_co", covariant=True)
StateT = TypeVar("StateT")


class StepResult(NamedTuple, Generic[StateT]):
    """The results of one chunk.

    Attributes:
        loss_sum: scalar, the summed losses of the chunk's predictions, in nats for a likelihood.
        predictions: how many there are.
        state: the state after the chunk.
    """

    loss_sum: Tensor
    predictions: int
    state: StateT


class Clue(NamedTuple):
    """The reason why a number is not finite.

    Attributes:
        sentence: a clause for an error.
        certain: whether the data or the equations are to blame, and not the size of the weights.
    """

    sentence: str
    certain: bool


class TrainingStep(nn.Module, Generic[ChunkT, StateT]):
    """The module that is trained.

    `StateT` is a tensor or anything that `torch.utils._pytree` can take apart.

    Nobody searches a chunk for NaN, which token ids cannot be and which costs time: in data of floats a NaN reaches
    the loss, and the loop ends the run at that update, before the weights have seen it. Then `cause` is asked.
    """

    @abstractmethod
    def forward(self, chunk: ChunkT, state: StateT) -> StepResult[StateT]:
        """Run one chunk from `state`; moves what it needs of the chunk to its own device."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> StateT:
        """Return the state before the first chunk, on the module's device and in its dtype."""

    def cause(self, chunk: ChunkT, state: StateT) -> Clue | None:
        """Say what makes the loss of a chunk not finite; None where nothing is known."""
        return None

    def cause_of_gradient(self, chunk: ChunkT, state: StateT) -> Clue | None:
        """Say what makes the gradient of a chunk's finite loss not finite; None where nothing is known."""
        return None


class ChunkSource(Protocol[ChunkT_co]):
    """The chunks of an epoch by number: of a stream in lanes, or batches of whole sequences.

    In a stream chunk `i + 1` goes on where chunk `i` stopped, and the state with it. Batches that have nothing to
    do with each other go with a step whose state is empty, `()`.
    """

    @property
    def batch_size(self) -> int:
        """Lanes in every chunk."""
        ...

    def __len__(self) -> int:
        """Return the number of chunks of one epoch, the same in every epoch."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Give the chunks of epoch 0, 1, ... from here on: the same order whenever that epoch is asked for."""
        ...

    def chunk(self, index: int) -> ChunkT_co:
        """Return chunk `index`; the same one whenever it is asked for within an epoch."""
        ...
