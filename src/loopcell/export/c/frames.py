"""Frames in C: steps cut out of samples of sound as these come, any number at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loopcell.export.c.names import Names, text
from loopcell.export.step_model import Frames, Quantity

LOCAL_WORDS = ("samples", "count", "used", "held", "status", "place")
"""The words of the functions below, which no output of the model may have."""


@dataclass(frozen=True)
class FrameCode:
    """The functions NAME_feed and NAME_finish.

    Attributes:
        frames: how steps are cut.
        samples, held, covered: fields of the state: the samples that are not done with, how many there are, and how
            many of them some frame has had already.
    """

    frames: Frames
    samples: str
    held: str
    covered: str

    @classmethod
    def of(cls, frames: Frames, fields: Names) -> FrameCode:
        """Take the fields of a state that nothing else has."""
        return cls(frames, *(fields.take(f"frame_{word}") for word in ("samples", "held", "covered")))

    @property
    def states(self) -> tuple[tuple[str, int], ...]:
        """The fields of the state, each with its length; counts are small enough to be floats."""
        return (self.samples, self.frames.width), (self.held, 1), (self.covered, 1)

    def header(self, name: str, outputs: Mapping[str, Quantity]) -> str:
        """Return what NAME.h says of them.

        Args:
            name: of the model.
            outputs: of a step, by their words in C.
        """
        return text("frames.h").format_map(self._fill(name, list(outputs)))

    def code(self, name: str, outputs: Mapping[str, Quantity]) -> str:
        """Return the functions."""
        return text("frames.c").format_map(self._fill(name, list(outputs))).strip("\n")

    def _fill(self, name: str, outputs: Sequence[str]) -> dict[str, object]:
        frames = self.frames
        return {
            "name": name,
            "NAME": name.upper(),
            "outputs": ", ".join(f"float *{word}" for word in outputs),
            "arguments": ", ".join(outputs),
            "sample_rate": frames.sample_rate,
            "width": frames.width,
            "hop": frames.hop,
            "kept": frames.width - frames.hop,
            "samples": self.samples,
            "held": self.held,
            "covered": self.covered,
        }
