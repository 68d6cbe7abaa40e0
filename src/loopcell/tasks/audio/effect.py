"""AudioEffect: a model that answers each sample of a sound with a sample."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from loopcell.errors import DataError, InputError, UsageError
from loopcell.export.step_model import OwnRun, StepCheck, StepModel
from loopcell.export.step_model.checks import MOST_STEPS
from loopcell.files.tensors import fingerprint_of_tensors
from loopcell.importing import from_nam, from_rtneural
from loopcell.importing.audio_layers import Model
from loopcell.layers.streaming.base import Owner, Start
from loopcell.tasks.audio.file import read_effect, write_effect
from loopcell.tasks.audio.layers import effect_layers
from loopcell.tasks.audio.step_model import effect_step
from loopcell.tasks.audio.stream import EffectStream
from loopcell.tasks.audio.wav_files import Processed, process_file

Floats = npt.NDArray[np.float32]
MOST_RATE = 1_000_000  # Hz
MOST_CHANNELS = 64  # of an array with fewer samples than channels: more are samples, and the axes change places
TASK = "audio-effect"


class AudioEffect:
    """Samples in, samples out: an amplifier, a distortion, a filter, as a recurrent network computes it.

    Args:
        model: the layers: what `from_nam` and `from_rtneural` give as their model, a network, or layers in the order in
            which they run, such as `[loopcell.LSTM(1, 16), torch.nn.Linear(16, 1)]`.
        sample_rate: Hz, of the sounds that it learned from.
        skip: the sound is added to what comes out of the layers.

    Attributes:
        layers: in the order in which they run.
        sample_rate: Hz.
        skip: as given.

    Raises:
        InputError: the sample rate is none.
        UsageError: the layers do not run sample by sample, or do not make one number of one.
    """

    def __init__(self, model: Model, sample_rate: int, *, skip: bool = False) -> None:
        if isinstance(sample_rate, bool) or not isinstance(sample_rate, int) or not 1 <= sample_rate <= MOST_RATE:
            raise InputError(f"sample_rate={sample_rate!r} must be a whole number of Hz from 1 to {MOST_RATE:,}")
        self._layers = effect_layers(model)
        self.layers, self.sample_rate, self.skip = self._layers.layers, sample_rate, bool(skip)

    @classmethod
    def load(cls, path: str | os.PathLike[str], sample_rate: int | None = None) -> Self:
        """Read an effect: a file that `save` wrote, NAM's (.nam) or RTNeural's (.json).

        Args:
            path: the file.
            sample_rate: Hz, of a file that does not say it, as RTNeural's do not.

        Raises:
            FileFormatError: the file is damaged or hostile, or is no effect.
            UsageError: the sample rate is not said, or said otherwise than in the file.
        """
        path = Path(path)
        if path.suffix.lower() in (".nam", ".json"):
            found = (from_nam if path.suffix.lower() == ".nam" else from_rtneural)(path)
            own = found.facts.get("sample_rate")
            return cls(found.model, _rate(path, None if own is None else int(own), sample_rate))
        content = read_effect(path)
        return cls(content.model, _rate(path, content.sample_rate, sample_rate), skip=content.skip)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the effect: safetensors with its equations, read back by `load`, without running code.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        write_effect(Path(path), self._layers, self.sample_rate, skip=self.skip)

    # --- sound -----------------------------------------------------------------------------------------------------

    def stream(self, state: Start = None, *, channels: int | None = None) -> EffectStream:
        """Answer sound as it comes: `stream.feed(chunk)`, as many samples out as in.

        Args:
            state: where another stream stood: its `state`, or a file. The file need not be there yet, and is written
                when the block ends. None begins anew.
            channels: C, of chunks [n, C]; None for chunks [n].

        Raises:
            InputError: `channels` is less than 1.
        """
        if channels is not None and (isinstance(channels, bool) or not isinstance(channels, int) or channels < 1):
            raise InputError(f"channels={channels!r} must be None, or a whole number of at least 1")
        made = EffectStream(
            self._owner(), self._layers, skip=self.skip, sample_rate=self.sample_rate, channels=channels
        )
        return made.begin(state)

    def process(self, samples: Any) -> Floats:
        """Return the effect on a whole sound, [n] or [n, C]; each channel by itself.

        Raises:
            DataError: these are no samples.
            InputError: it is the path of a file, which `process_file` reads, or [C, n].
        """
        if isinstance(samples, str | os.PathLike):
            raise InputError(f"process takes samples, and {str(samples)!r} is a path: process_file(source, target)")
        given = np.asarray(samples)
        if given.ndim == 2 and given.shape[1] > max(MOST_CHANNELS, len(given)):
            raise InputError(
                f"a sound is [n, C], and {list(given.shape)} has {given.shape[1]:,} channels: transpose it"
            )
        return self.stream(channels=given.shape[1] if given.ndim == 2 else None).feed(given)

    def process_file(
        self, source: str | os.PathLike[str], target: str | os.PathLike[str], *, state: Start = None
    ) -> Processed:
        """Write the effect on a file of sound as a WAV file, chunk by chunk, however long it is.

        Args:
            source: a WAV, FLAC or OGG file of the effect's sample rate.
            target: a .wav file, of as many channels, in the numbers of the source; written whole or not at all.
            state: where the stream begins, and is written to at the end, as in `stream`.

        Raises:
            DataError: the source is no sound, or of another sample rate.
            UsageError: the target is no .wav file.
            MissingExtraError: soundfile is not installed.
        """
        return process_file(
            lambda channels: self.stream(state, channels=channels), self.sample_rate, Path(source), Path(target)
        )

    # --- export ----------------------------------------------------------------------------------------------------

    def step_model(self) -> StepModel:
        """Return what the effect computes of a sample, from which `loopcell.export` writes it for other places."""
        return effect_step(self._layers, self.sample_rate, skip=self.skip)

    def step_check(self, data: Any) -> StepCheck:
        """Return the beginning of a sound as steps, with the effect's own answers; see `loopcell.export.verify`.

        Args:
            data: samples [n], or the path of a file, of which the first channel counts.
        """
        whole = _first_channel(data, self.sample_rate)
        samples = whole[:MOST_STEPS]
        stream = self.stream()
        streamed = np.concatenate([stream.feed(samples[at : at + 7]) for at in range(0, len(samples), 7)])
        every = np.arange(len(samples))
        answers = {"own offline": self.process(samples), "own streamed": streamed}
        runs = {way: OwnRun({"y": y[:, None]}, every) for way, y in answers.items()}
        return StepCheck({"x": samples[:, None]}, runs, every=({"x": whole[:, None]},))

    def _owner(self) -> Owner:
        about = f"{self.sample_rate} {self.skip} {self._layers.kinds()}"
        return Owner(TASK, type(self).__name__, fingerprint_of_tensors(self._layers.tensors(), about))

    def __repr__(self) -> str:
        names = ", ".join(type(layer).__name__ for layer in self.layers)
        return f"AudioEffect([{names}], sample_rate={self.sample_rate}, skip={self.skip})"


def _rate(path: Path, own: int | None, said: int | None) -> int:
    if own is None and said is None:
        raise UsageError(f"{path} does not say its sample rate: give it, sample_rate=44100 say")
    if own is not None and said is not None and own != said:
        raise UsageError(f"{path} is of {own:,} Hz, and sample_rate={said} was given")
    found = own if said is None else said
    assert found is not None
    return found


def _first_channel(data: Any, sample_rate: int) -> Floats:
    from loopcell.data.features.audio import audio_chunks, audio_rate

    if isinstance(data, str | os.PathLike):
        if audio_rate(data) != sample_rate:
            raise DataError(f"{data} has {audio_rate(data):,} Hz, and the effect {sample_rate:,}")
        samples = np.concatenate([chunk[:, 0] for chunk in audio_chunks(data, 1 << 16)] or [np.zeros(0, np.float32)])
    else:
        samples = np.asarray(data, np.float32).reshape(len(data), -1)[:, 0]
    if not len(samples):
        raise DataError("there is no sample to hold the export against")
    return np.ascontiguousarray(samples)
