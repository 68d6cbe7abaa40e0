"""SequenceTagger.stream: the label of each step as soon as it is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy.typing as npt

from loopcell.layers.streaming.base import Owner, Start
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.inputs import Input
from loopcell.tasks.core.streaming.stream import Stream
from loopcell.tasks.sequences.running import TagAnswers, TaggedStep
from loopcell.tasks.sequences.running_stream import running_stream
from loopcell.tasks.sequences.sound_stream import SoundStream
from loopcell.tasks.sequences.targets import StepLabels


class StreamedTagger(ABC):
    """The part of a tagger that reads on, step by step."""

    input_: Input
    network_: Any
    targets_: StepLabels

    @property
    @abstractmethod
    def columns_(self) -> Columns | None:
        """The columns of the files that the shell trained it on."""

    @property
    @abstractmethod
    def classes_(self) -> npt.NDArray[Any]:
        """The labels [K], sorted."""

    @abstractmethod
    def _owner(self) -> Owner:
        """Return what tells this model from others."""

    @abstractmethod
    def _demand_causal(self) -> None:
        """Refuse a tagger whose labels depend on more than what has come."""

    def stream(self, state: Start = None) -> Stream[TaggedStep] | SoundStream[TaggedStep]:
        """Read steps as they come: `with model.stream() as stream: stream.step(row)`.

        Args:
            state: where another stream stood: its `state`, or a file. The file need not be there yet, and is written
                when the block ends. None begins anew.

        Returns:
            A `Stream`. Its `step` takes the numbers [I] of a step, a token, or a mapping of the columns that training
            had, and returns its label and the probabilities of all labels. Steps one by one have the labels that they
            have at once. Of a tagger of sounds it is a `SoundStream`, whose `feed` takes samples and returns the
            answers to the frames that are whole.

        Raises:
            FileFormatError: the file is damaged, or no state of a stream.
            UsageError: it reads both ways, has a CRF, or reads n-grams or the time of steps; or it is the state of
                another model.
        """
        self._demand_causal()

        def answers_of(member: Any) -> TagAnswers:
            return TagAnswers(member, self.targets_, member.temperature, self.classes_)

        return running_stream(self._owner(), self.input_, self.columns_, self.network_, answers_of, "tagger", state)
