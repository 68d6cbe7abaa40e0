"""The stages of a reader of sequences: what reads a step, and the recurrent layers."""

from __future__ import annotations

from typing import NamedTuple

from loopcell.errors import UsageError
from loopcell.export.step_model import Quantity, Stage, layer_stages
from loopcell.tasks.core.inputs.input import Input
from loopcell.tasks.core.networks.reader import SequenceReader
from loopcell.tasks.core.step_models.reading import reading_of
from loopcell.tasks.core.step_models.static import NOTE, StaticStep
from loopcell.tasks.core.step_models.step_input import StepInput


class Body(NamedTuple):
    """The start of a step, all stages up to the last recurrent layer, and what that gives."""

    reading: StepInput
    stages: tuple[Stage, ...]
    gives: Quantity

    def beside(self, static: StaticStep) -> Body:
        """Return a body whose model is given static values beside its sequence."""
        reading = self.reading
        facts, notes = {**reading.facts, **static.facts}, (*reading.notes, NOTE)
        inputs = (*reading.inputs, *static.inputs)
        return self._replace(reading=reading._replace(inputs=inputs, facts=facts, notes=notes))


def body_of(reads: Input, reader: SequenceReader) -> Body:
    """Return the stages of a reader.

    Raises:
        UsageError: it has no step: it reads backward too, takes several steps in at once, or reads times or files.
    """
    if reader.front is not None:
        raise UsageError(
            f"this model takes {reader.stride} steps in at once (downsample), so it has no step: fit one with "
            "downsample=1"
        )
    reading = reading_of(reads, reader.first)
    layers = layer_stages(reader.recurrent, reading.gives, further=reading.further)
    return Body(reading, (*reading.stages, *layers), layers[-1].gives)
