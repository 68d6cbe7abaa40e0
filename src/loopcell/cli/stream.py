"""`loopcell stream MODEL`: answers to lines or to a sound, as they come."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.columns import CARRIED, READING
from loopcell.cli.effects import SampleRate, answer_sound, demand_no_rate, is_effect, load_effect
from loopcell.cli.flags import Flag, Settings, flags_of, with_flags
from loopcell.cli.live import (
    NAME,
    STOPPED,
    Live,
    LiveWriter,
    StateFile,
    answer_live,
    is_of_sound,
    live_output,
    signals,
    stream_of,
    to_file,
)
from loopcell.cli.predictions import DELIMITERS, Form, Output, PredictedRow, form_of, write
from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.standard_input import STANDARD, is_standard
from loopcell.cli.values import find_model, named
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.models import load_model
from loopcell.tasks.core.streaming.config import LiveAnswers

if TYPE_CHECKING:
    from loopcell.data.features.audio import Floats
    from loopcell.tasks.sequences.sound_stream import SoundStream

CHUNK = 4096  # samples of a sound that are read at a time: below a tenth of a second at 44,100 Hz
SECONDS = "seconds"
FLAGS: tuple[Flag, ...] = (*READING, *CARRIED, *flags_of(LiveAnswers, "state_every", "on_error"))


@with_flags(FLAGS)
def stream(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    source: Annotated[Path, typer.Argument(help="A sound, such as input.wav; else standard input.")] = STANDARD,
    output: Output = None,
    form: Form = None,
    state: StateFile = None,
    sample_rate: SampleRate = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Answer each line of standard input, or each frame of a sound, as soon as it is there.

    Lines are rows of tables, JSON or texts: `tail -f log | loopcell stream MODEL`. A model of sounds reads a file bit
    by bit, however long it is, or a WAV that comes through a pipe: `arecord -t wav | loopcell stream MODEL`. With
    --state it goes on where the file says; a sound that goes on has no end yet, and so its last frame waits there. An
    audio effect, such as an amplifier of NAM, makes a file of a file, without pipes: `loopcell stream amp.nam in.wav
    -o out.wav`.
    """
    from loopcell.errors import UsageError

    with reporting(debug):
        if is_effect(find_model(model)):
            _demand_plain(form, Settings(FLAGS, typed).build(LiveAnswers, stream=True))
            answer_sound(load_effect(find_model(model), sample_rate), source, output, state)
            return
        form, answers = form_of(output, form), Settings(FLAGS, typed).build(LiveAnswers, stream=True)
        _demand_text(output)
        early.demand_model(find_model(model))
        spec = Settings(FLAGS, typed).build(FileExamples, files=[source])
        loaded = load_model(find_model(model))
        demand_no_rate(sample_rate, loaded)
        live = Live(state, answers, spec, form, to_file(output))
        is_live = is_standard(source)
        if not hasattr(loaded, "stream") or not is_of_sound(loaded.stream()):
            if not is_live:
                raise UsageError(f"{named(loaded)} of rows reads lines: loopcell stream MODEL < {source}")
            answer_live(loaded, live)
        elif answers.on_error != "stop":
            raise UsageError("--on-error is for lines: a sound that cannot be read is not skipped")
        elif is_live:
            _SoundSession(loaded, live).run_piped()
        else:
            _SoundSession(loaded, live).run_file(source, output)


def _demand_text(output: Path | None) -> None:
    """Refuse a file of sound for what is no sound; UsageError."""
    from loopcell.data.readers.kinds import KINDS
    from loopcell.errors import UsageError

    if output is not None and output.suffix.lower() in KINDS["audio"].endings:
        raise UsageError(
            f"{output}: this model answers a sound with labels or numbers, a row for each frame; name a .jsonl, .csv, "
            ".tsv or .parquet file (samples to samples are audio effects)"
        )


def _demand_plain(form: str | None, answers: LiveAnswers) -> None:
    """Refuse what says how rows are answered, for what answers with samples; UsageError."""
    from loopcell.errors import UsageError

    if form is not None or answers != LiveAnswers(stream=True):
        raise UsageError("an audio effect answers with samples: --format, --on-error and --state-every are for rows")


class _SoundSession:
    """One run over a sound.

    Args:
        model: of sounds.
        live: its state, and how answers are written.
    """

    def __init__(self, model: Any, live: Live) -> None:
        self._live, self._stream = live, _as_sound(stream_of(model, live.state))
        self._begun = self._kept = self._stream.rows
        self._frames = self._stream.frames

    def run_file(self, source: Path, output: Path | None) -> None:
        """Answer the frames of a file."""
        from loopcell.data.features.audio import audio_chunks, audio_rate

        self._demand_rate(audio_rate(source), str(source))
        rows = self._answers(audio_chunks(source, CHUNK, sample_rate=self._stream.sample_rate))
        write((PredictedRow({SECONDS: at}, self._stream.record(one)) for at, one in rows), output, self._live.form)
        self._end()

    def run_piped(self) -> None:
        """Answer the frames of a WAV on standard input, until it ends or a signal ends it."""
        from loopcell.data import Origin, Record
        from loopcell.data.features.audio import Rates, resampled
        from loopcell.data.features.live_audio import PipedSound

        sound = PipedSound(sys.stdin.buffer, NAME)  # type: ignore[arg-type]  # a buffered reader
        self._demand_rate(sound.sample_rate, NAME)
        with live_output(self._live) as out, signals() as wait:
            writer = LiveWriter(self._stream, (SECONDS,), DELIMITERS.get(self._live.form), out)
            chunks = sound.chunks(CHUNK)
            if sound.sample_rate != self._stream.sample_rate:
                rates = Rates(sound.sample_rate, self._stream.sample_rate)
                chunks = resampled(chunks, rates, sound.channels, NAME)
            try:
                for at, one in self._answers(wait.each(chunks)):
                    writer(Record({SECONDS: at}, Origin(NAME, self._stream.frames)), one)
            finally:
                self._end()
            if wait.stopped:
                raise typer.Exit(STOPPED + wait.stopped)
        if sound.promised is not None and sound.sample_rate == self._stream.sample_rate:
            self._tell_missing(sound.promised)

    def _answers(self, chunks: Iterator[Floats]) -> Iterator[tuple[float, Any]]:
        """Yield when each frame begins, and the answer to it."""
        stream, every = self._stream, self._live.answers.state_every or sys.maxsize
        for chunk in chunks:
            yield from self._timed(stream.feed(chunk))
            if self._live.state is not None and stream.rows - self._kept >= every:
                self._save()
        if self._live.state is None:  # else the sound goes on
            yield from self._timed(stream.finish())

    def _timed(self, found: list[Any]) -> Iterator[tuple[float, Any]]:
        first = self._stream.frames - len(found)
        for place, one in enumerate(found, first):
            yield self._stream.seconds(place), one

    def _demand_rate(self, rate: int, name: str) -> None:
        from loopcell.errors import UsageError

        own = self._stream.sample_rate
        if rate == own:
            return
        if self._live.state is not None:
            raise UsageError(
                f"{name} has {rate:,} Hz and the model {own:,}: a state goes on at the model's rate alone, as "
                "resampling looks at samples to come; resample the sound first, or leave out --state"
            )
        say_note(f"{name} has {rate:,} Hz and is resampled to the model's {own:,}")

    def _tell_missing(self, promised: int) -> None:
        came = self._stream.rows - self._begun
        if came < promised:
            say_note(f"{NAME} promised {promised:,} samples and had {came:,}")

    def _save(self) -> None:
        assert self._live.state is not None
        self._stream.save(self._live.state)
        self._kept = self._stream.rows

    def _end(self) -> None:
        if self._live.state is not None and self._stream.rows != self._kept:
            self._save()
        samples, frames = self._stream.rows - self._begun, self._stream.frames - self._frames
        where = "" if self._live.state is None else f"; the state after {self._stream.rows:,} is in {self._live.state}"
        say_note(f"{samples:,} samples ({samples / self._stream.sample_rate:.3f} s), {frames:,} frames answered{where}")


def _as_sound(stream: Any) -> SoundStream[Any]:
    return stream  # type: ignore[no-any-return]  # `is_of_sound` was asked
