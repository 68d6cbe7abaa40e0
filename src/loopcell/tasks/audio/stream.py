"""EffectStream: samples in, as many samples out, however the sound is cut."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.data.features.sounds import samples_of
from loopcell.errors import InputError
from loopcell.importing.building import Network
from loopcell.layers.streaming.base import Owner, ReadingOn
from loopcell.layers.streaming.stream import NetworkStream
from loopcell.tasks.audio.layers import EffectLayers

Floats = npt.NDArray[np.float32]


class EffectStream(ReadingOn):
    """A stream of sound through an effect; `effect.stream()` makes one.

    Each channel has a state of its own, so stereo is two streams. Chunks of any size give the samples of the whole
    sound, bit for bit. A chunk counts when it has returned; one that fails leaves the stream as it was.

    Args:
        owner: the effect.
        layers: of it.
        skip: the sound is added to what comes out.
        sample_rate: Hz.
        channels: C; None for one without an axis of its own.

    Attributes:
        sample_rate: Hz, of the samples.
        channels: C, or None.
        rows: how many samples of each channel were read, those before a stop included.
    """

    def __init__(
        self, owner: Owner, layers: EffectLayers, *, skip: bool, sample_rate: int, channels: int | None
    ) -> None:
        super().__init__(owner)
        self.sample_rate, self.channels = sample_rate, channels
        self._layers, self._skip = layers.layers, skip
        self._like = next(iter(layers.tensors().values()))
        self._runs = [_runs(layers) for _ in range(channels or 1)]

    def step(self, sample: Any) -> Any:
        """Answer a sample: a number, or one of each channel [C]."""
        found = self.feed(np.asarray(sample, np.float64)[None])[0]
        return float(found) if self.channels is None else found

    def feed(self, samples: Any) -> Floats:
        """Answer a chunk of samples.

        Args:
            samples: [n], or [n, C] of several channels: numbers from -1 to 1, or int16 or int32 as a WAV file has them;
                n may be 0.

        Returns:
            float32, as long.

        Raises:
            DataError: these are no samples.
            InputError: they have another count of channels, or the answer is not finite.
        """
        given = np.asarray(samples)
        wanted = () if self.channels is None else (self.channels,)
        if isinstance(samples, str | os.PathLike):
            raise InputError(f"a chunk of this stream is samples, and {str(samples)!r} is a path: process_file")
        if given.shape[1:] != wanted or not given.ndim:
            raise InputError(f"a chunk of this stream is {['n', *wanted]}, got {list(given.shape)}".replace("'", ""))
        if not len(given):
            return np.zeros(given.shape, np.float32)
        checked = samples_of(given, f"the chunk from sample {self.rows + 1:,} on", self.sample_rate)
        with self._lock:
            before = self.state
            try:
                found = np.stack([self._channel(runs, checked[:, at]) for at, runs in enumerate(self._runs)], axis=1)
                if not np.isfinite(found).all():
                    raise InputError(f"the samples from {self.rows + 1:,} on: what comes out is not finite")
            except BaseException:
                self.state = before
                raise
            self.rows += len(found)
        return found.reshape(given.shape)

    def _channel(self, runs: Mapping[int, NetworkStream], samples: Floats) -> Floats:
        x = torch.from_numpy(np.ascontiguousarray(samples))[:, None].to(self._like)
        y = x
        with torch.no_grad():
            for place, layer in enumerate(self._layers):
                y = runs[place].feed(y) if place in runs else _by_rows(layer, y)
            y = y + x if self._skip else y
        return y[:, 0].float().cpu().numpy()

    # --- state -----------------------------------------------------------------------------------------------------

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        tensors = {
            f"{channel}.{place}.{name}": tensor
            for channel, runs in enumerate(self._runs)
            for place, run in runs.items()
            for name, tensor in run.state.tensors.items()
        }
        return {"channels": self.channels or 0}, tensors

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        if facts["channels"] != (self.channels or 0):
            raise ValueError("it has another count of channels")
        found = [{place: run.fork() for place, run in runs.items()} for runs in self._runs]
        left = dict(tensors)
        for channel, runs in enumerate(found):
            for place, run in runs.items():
                start = f"{channel}.{place}."
                own = {name.removeprefix(start): left.pop(name) for name in list(left) if name.startswith(start)}
                run.state = replace(run.state, tensors=own)
        if left:
            raise ValueError("its tensors are not those of this effect's state")
        self._runs = found


def _runs(layers: EffectLayers) -> dict[int, NetworkStream]:
    """Return a stream of each network, at its start."""
    return {
        place: layer.stream(layers.starts.get(place))
        for place, layer in enumerate(layers.layers)
        if isinstance(layer, Network)
    }


def _by_rows(layer: nn.Module, x: Tensor) -> Tensor:
    """Run a layer so that a sample's answer does not depend on how many there are: a product may add up otherwise."""
    if not isinstance(layer, nn.Linear):
        found: Tensor = layer(x)
        return found
    summed = (x.unsqueeze(1) * layer.weight).sum(-1)
    return summed if layer.bias is None else summed + layer.bias
