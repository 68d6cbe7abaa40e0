"""SequenceClassifier.stream and SequenceRegressor.stream: the answer to all steps so far, after each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from loopcell.errors import UsageError
from loopcell.export.step_model import StepCheck
from loopcell.layers.streaming.base import Owner, Start
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.inputs import Input
from loopcell.tasks.core.streaming.stream import Stream
from loopcell.tasks.sequences.causal import demand_no_look_ahead, demand_single_tokens
from loopcell.tasks.sequences.running import RunningAnswers
from loopcell.tasks.sequences.running_stream import running_stream
from loopcell.tasks.sequences.sound_stream import SoundStream
from loopcell.tasks.sequences.step_checks import pooled_check

ResultT = TypeVar("ResultT")


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
    def predict(self, X: Any) -> Any:
        """Return the answer to each sequence."""

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
                values; or it is the state of another model.
        """
        self._demand_running()
        return running_stream(
            self._owner(), self.input_, self.columns_, self.network_, self._running, _called(self), state
        )

    def step_check(self, data: Any) -> StepCheck:
        """Return sequences as steps, with the model's own answers; see `loopcell.export.verify`."""
        return pooled_check(self, data, getattr(self, "predict_proba", self.predict))

    def _demand_running(self) -> None:
        """Refuse a model whose answer so far depends on more than what has come; UsageError says on what."""
        self._fitted()
        name = _called(self)
        demand_no_look_ahead(self, name)
        demand_single_tokens(self, name)
        if self.static_ is not None:
            raise UsageError(
                f"this {name} reads static values beside the steps, which rows of a stream have no place for"
            )


def _called(model: object) -> str:
    """Return the word for a model in a sentence: classifier, regressor."""
    return type(model).__name__.removeprefix("Sequence").lower()
