"""Audio effects on the command line: models that answer samples with samples, ours and those of NAM and RTNeural."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from loopcell.cli.reporting import say_note
from loopcell.cli.values import named
from loopcell.errors import FileFormatError, UsageError

if TYPE_CHECKING:
    from loopcell.tasks.audio.effect import AudioEffect

SampleRate: TypeAlias = Annotated[
    int | None,
    typer.Option("--sample-rate", min=1, help="Hz, of an audio effect whose file does not say it, as RTNeural's."),
]
FOREIGN = (".nam", ".json")
WAV = ".wav"


def is_effect(path: Path) -> bool:
    """Say whether a file is an effect's: by its ending, or by what it says of itself."""
    if path.suffix.lower() in FOREIGN:
        return True
    from loopcell.files.tensors import read_facts
    from loopcell.tasks.audio.kind import KIND

    try:
        read_facts(path, KIND)
    except FileFormatError:  # another kind of file, or a damaged one, of which whoever reads it says so
        return False
    return True


def load_effect(path: Path, sample_rate: int | None) -> AudioEffect:
    """Read an effect; errors as `AudioEffect.load`."""
    from loopcell.tasks.audio.effect import AudioEffect

    if sample_rate is None and path.suffix.lower() == ".json":
        raise UsageError(f"{path} does not say its sample rate: give it, --sample-rate 44100 say")
    return AudioEffect.load(path, sample_rate)


def demand_no_rate(sample_rate: int | None, model: object) -> None:
    """Refuse a sample rate for a model that has one of its own, or none; UsageError."""
    if sample_rate is not None:
        raise UsageError(f"--sample-rate is of audio effects, and this is {named(model)}")


def answer_sound(effect: AudioEffect, source: Path, output: Path | None, state: Path | None) -> None:
    """Write what an effect makes of a file.

    Args:
        effect: the model.
        source: a file of sound.
        output: a .wav file.
        state: where the stream stood, and is written to; None keeps none.

    Raises:
        DataError: the source is no sound, or has another sample rate.
        UsageError: the source or the output is no file.
    """
    from loopcell.cli.standard_input import is_standard

    if is_standard(source) or output is None or is_standard(output):
        raise UsageError(
            "an audio effect makes a file of a file, and reads or writes no pipe: loopcell stream MODEL input.wav -o "
            "output.wav"
        )
    if output.exists() and output.resolve() == source.resolve():
        raise UsageError(f"{output} is the sound that is read: name another file to write")
    found = effect.process_file(source, output, state=state)
    where = "" if state is None else f"; the state is in {state}"
    say_note(f"wrote {output}: {found.summary()}{where}")
