"""SoundStream: the answers to a sound that comes bit by bit, by the same features as of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import LogMel, RawAudio
from loopcell.data.examples import Scale
from loopcell.data.features.mel import WaitingSamples
from loopcell.data.features.sounds import samples_of
from loopcell.errors import InputError, UsageError
from loopcell.layers import Recurrent, State
from loopcell.layers.streaming.base import Owner, demand_state
from loopcell.tasks.core.streaming.stream import Stream
from loopcell.tasks.sequences.running import RunningAnswers
from loopcell.tasks.sequences.step_stream import NOT_FINITE

ResultT = TypeVar("ResultT")
LAYERS, MEMORY, SAMPLES = "layers.", "memory.", "samples"


class SoundStream(Stream[ResultT]):
    """A stream of samples; see `Stream`. Each frame of the features has an answer, as soon as it is whole.

    `feed` takes a chunk of samples, of any size, and gives the answers to the frames that are whole now: the same, bit
    for bit, however a sound is cut. `finish` gives that to the last frame, which is filled up with zeros, as of a whole
    file. A row is a sample.

    Args:
        owner: the model.
        features: what makes frames of samples.
        scale: on which the network reads them.
        layers: the recurrent layers, of each network of an ensemble.
        answers: what it says after each frame.

    Attributes:
        sample_rate: Hz, of the samples; those of another rate are to be resampled.
        hop: samples from one frame's start to the next one's.
        frames: how many had an answer.
        ended: whether `finish` was called; `reset` begins anew.
    """

    def __init__(
        self,
        owner: Owner,
        features: LogMel | RawAudio,
        scale: Scale,
        layers: Sequence[Recurrent],
        answers: RunningAnswers[ResultT],
    ) -> None:
        super().__init__(owner)
        self._kind, self._features, self._scale = features, features.stream(), scale
        self._layers, self._answers = [one.stream() for one in layers], answers
        self._like = next(layers[0].parameters())
        self._memory = answers.at_rest()
        self.sample_rate, self.hop = features.sample_rate, features.step if isinstance(features, LogMel) else 1
        self.frames, self.ended = 0, False
        self.names, self.fields = answers.names, answers.fields

    def step(self, row: Any) -> ResultT | None:
        """Read a sample, a number or one of each channel [C]; the answer to the frame that it completes, or None."""
        found = self.feed(np.asarray(row)[None])
        return found[0] if found else None

    def feed(self, rows: Any) -> list[ResultT | None]:
        """Read a chunk of samples.

        Args:
            rows: [n] or [n, C]: numbers from -1 to 1, or int16 or int32 as a WAV file has them; n may be 0.

        Returns:
            The answers to the frames that are whole now.

        Raises:
            DataError: these are no samples; the stream is as it was.
            UsageError: `finish` was called before.
        """
        samples = np.asarray(rows)
        self._demand_open()
        if not len(samples):
            return []
        checked = samples_of(samples, f"the samples from {self.rows + 1:,} on", self.sample_rate)
        before = self.state
        try:
            found = self._answered(self._features.push(checked))
            self.rows += len(checked)
        except BaseException:
            self.state = before
            raise
        return found

    def finish(self) -> list[ResultT | None]:
        """End the sound: give the answer to the last frame, which is filled up with zeros, or none if none is left."""
        self._demand_open()
        before = self.state
        try:
            found = self._answered(self._features.finish())
        except BaseException:
            self.state = before
            raise
        self.ended = True
        return found

    def seconds(self, frame: int) -> float:
        """Return when a frame begins, by its number from 0."""
        return frame * self.hop / self.sample_rate

    def _demand_open(self) -> None:
        if self.ended:
            raise UsageError("this sound has ended (finish): reset() begins another one")

    def _answered(self, frames: npt.NDArray[np.float32]) -> list[ResultT | None]:
        scaled = torch.from_numpy(self._scale.read(frames, "the sound")).to(self._like)
        with torch.no_grad():
            outputs = torch.cat([layers.feed(scaled) for layers in self._layers], -1)
            found, self._memory = self._answers.after(outputs, scaled, self._memory)
        for place, one in enumerate(found):
            if not np.isfinite(self._answers.numbers(one)).all():
                where = f"{self.seconds(self.frames + place):.3f} s"
                raise InputError(f"{where}: the model gives scores that are not finite: {NOT_FINITE}")
        self.frames += len(found)
        return list(found)

    # --- results ---------------------------------------------------------------------------------------------------

    def record(self, result: ResultT | None) -> dict[str, Any]:
        """Return an answer as JSON values; see `Stream`."""
        return {} if result is None else self._answers.record(result)

    def flat(self, result: ResultT | None) -> list[Any]:
        """Return an answer as cells; see `Stream`."""
        return [None] * len(self.fields) if result is None else self._answers.flat(result)

    # --- state -----------------------------------------------------------------------------------------------------

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        waiting = self._features.waiting
        tensors = {
            f"{start}{name}": tensor
            for start, layers in zip(self._starts(), self._layers, strict=True)
            for name, tensor in layers.state.tensors.items()
        }
        tensors |= {f"{MEMORY}{name}": tensor.cpu() for name, tensor in self._memory.items()}
        facts = {"frames": self.frames, "ended": self.ended, "covered": waiting.covered}
        return facts, {**tensors, SAMPLES: torch.from_numpy(waiting.samples)}

    def _starts(self) -> list[str]:
        """Return what the names of each network's states begin with; of a single one it has no number."""
        count = len(self._layers)
        return [f"{LAYERS}{number}." if count > 1 else LAYERS for number in range(count)]

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        frames, ended, covered = facts["frames"], facts["ended"], facts["covered"]
        if type(frames) is not int or type(ended) is not bool or type(covered) is not int or frames < 0:
            raise TypeError("its counts are none")
        features = self._kind.stream()
        features.waiting = WaitingSamples(tensors[SAMPLES].numpy(), covered)
        all_layers = [layers.fork() for layers in self._layers]
        for start, layers in zip(self._starts(), all_layers, strict=True):
            layers.state = replace(layers.state, tensors=_below(tensors, start))
        memory = demand_state(_below(tensors, MEMORY), State.of(dict(self._memory)))
        self._features, self._layers, self._memory = features, all_layers, memory
        self.frames, self.ended = frames, ended


def _below(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
