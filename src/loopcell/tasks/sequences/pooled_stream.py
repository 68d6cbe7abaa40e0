"""SequenceClassifier.stream and SequenceRegressor.stream: the answer to all steps so far, after each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import torch

from loopcell.data import LogMel, RawAudio
from loopcell.errors import UsageError
from loopcell.layers import State
from loopcell.layers.streaming.base import Owner, Start
from loopcell.tasks.core.estimator import device_of
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.inputs import FeatureInput, Input
from loopcell.tasks.core.streaming.stream import Stream
from loopcell.tasks.sequences.pieces import read_piece
from loopcell.tasks.sequences.running import Memory, RunningAnswers
from loopcell.tasks.sequences.sound_stream import SoundStream
from loopcell.tasks.sequences.step_stream import StepStream, step_columns

ResultT = TypeVar("ResultT")
MEMORY = "memory."


class StreamedPooled(ABC, Generic[ResultT]):
    """The part of a classifier or regressor that reads on, step by step."""

    input_: Input
    network_: Any
    static_: Any
    bidirectional: bool
    ensemble: int
    ngrams: int
    downsample_: int

    @property
    @abstractmethod
    def columns_(self) -> Columns | None:
        """The columns of the files that the shell trained it on."""

    @abstractmethod
    def _owner(self) -> Owner:
        """Return what tells this model from others."""

    @abstractmethod
    def _fitted(self) -> Any:
        """Return the trained network; NotFittedError where there is none yet."""

    @abstractmethod
    def _running(self, network: Any) -> RunningAnswers[ResultT]:
        """Return what a network, which is no ensemble, says after each step; UsageError where it needs all of them."""

    def stream(self, state: Start = None) -> Stream[ResultT] | SoundStream[ResultT]:
        """Read a sequence as it comes, and answer after each step: `stream.step(row)`.

        After the last step of a sequence the answer is that to the whole; `reset()` begins another one.

        Args:
            state: where another stream stood: its `state`, or a file. The file need not be there yet, and is written
                when the block ends. None begins anew.

        Returns:
            A `Stream`. Its `step` takes the numbers [I] of a step, a token, or a mapping of the columns that training
            had. Of a model of sounds it is a `SoundStream`, whose `feed` takes samples and returns an answer for each
            frame that is whole.

        Raises:
            FileFormatError: the file is damaged, or no state of a stream.
            UsageError: the model needs what has not come: both directions, attention, several steps at once, static
                values; or it is an ensemble; or it is the state of another model.
        """
        self._demand_running()
        answers, input_, reader = self._running(self.network_), self.input_, self.network_.reader
        if isinstance(input_, FeatureInput) and isinstance(input_.features, LogMel | RawAudio):
            layers = reader.recurrent
            return SoundStream(self._owner(), input_.features, input_.known_scale, layers, answers).begin(state)
        rest = {f"{MEMORY}{name}": tensor for name, tensor in answers.at_rest().items()}

        def go_on(steps: Any, before: State | None) -> tuple[list[ResultT], State]:
            memory, layers = _divided(before or State.of({**start}))
            piece, after_piece, own = read_piece(input_, steps, None, layers)
            with torch.no_grad():
                piece = piece.to(device_of(self.network_))
                outputs, after = reader(piece, None, own)
                found, memory = answers.after(outputs[:, 0], piece[:, 0], memory)
            return found, State.of({**after_piece(after), **{f"{MEMORY}{name}": one for name, one in memory.items()}})

        columns = step_columns(input_, self.columns_, _called(self))
        start = State.of({**reader.recurrent.initial_state(1), **rest})
        return StepStream(self._owner(), input_, columns, go_on, start, answers).begin(state)

    def _demand_running(self) -> None:
        """Refuse a model whose answer so far depends on more than what has come; UsageError says on what."""
        self._fitted()
        name = _called(self)
        if self.bidirectional:
            raise UsageError(f"this {name} reads both ways: it needs steps that have not come; fit one that does not")
        if self.ensemble > 1:
            raise UsageError(
                f"this {name} is an ensemble of {self.ensemble} networks, which have no common state: fit one with "
                "ensemble=1 for a stream"
            )
        if self.ngrams > 1:
            raise UsageError(f"this {name} reads {self.ngrams} tokens at once; a row does not know those before it")
        if self.downsample_ > 1:
            raise UsageError(
                f"this {name} makes one step of {self.downsample_} by convolutions, which see steps that have not "
                "come: fit one with downsample=1 for a stream"
            )
        if self.static_ is not None:
            raise UsageError(
                f"this {name} reads static values beside the steps, which rows of a stream have no place for"
            )


def _called(model: object) -> str:
    """Return the word for a model in a sentence: classifier, regressor."""
    return type(model).__name__.removeprefix("Sequence").lower()


def _divided(state: State) -> tuple[Memory, State]:
    """Return the memory of a state, and what is left of it."""
    memory = {name.removeprefix(MEMORY): one for name, one in state.items() if name.startswith(MEMORY)}
    return memory, State.of({name: one for name, one in state.items() if not name.startswith(MEMORY)})
