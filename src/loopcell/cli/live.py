"""`loopcell predict MODEL - --stream`: a line out for each line in, as soon as it is there."""

from __future__ import annotations

import csv
import io
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TextIO, TypeAlias, TypeVar

import typer

from loopcell.cli.predictions import DELIMITERS
from loopcell.cli.reporting import as_sentence, say, say_note, say_notes
from loopcell.cli.standard_input import is_standard
from loopcell.cli.values import named

if TYPE_CHECKING:
    from loopcell.data import Record
    from loopcell.data.readers.live_lines import LiveLine
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.streaming.config import LiveAnswers
    from loopcell.tasks.core.streaming.stream import Stream

StateFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--state", help="Where a stream or a forecast stood: taken up if it is there, and written anew."),
]
ItemT = TypeVar("ItemT")
NAME, ROW = "standard input", ""  # ROW is the column of a row without columns
STOPPED = 128  # and the number of the signal, as shells have it


class Live(NamedTuple):
    """The choices of one command.

    Attributes:
        state: the file of its state; None keeps none.
        answers: what is written, and what is done at a bad line.
        lines: how these are cut into rows, and which columns are carried over.
        form: of the answers: jsonl, csv or tsv.
        output: the file that they are added to; None for standard output.
    """

    state: Path | None
    answers: LiveAnswers
    lines: FileExamples
    form: str
    output: Path | None = None


def answer_live(model: Any, live: Live) -> None:
    """Answer every line of standard input, until it ends or a signal ends it; the state is written then.

    Raises:
        DataError: a line cannot be read or does not follow those before it; the message names it. The state is that of
            the line before.
        FileFormatError: the file of the state is damaged; it stays as it is.
        UsageError: the model has no streams, or the state is of another model.
    """
    from loopcell.errors import UsageError

    stream = stream_of(model, live.state)
    if is_of_sound(stream):
        raise UsageError("this model reads sound, not lines: loopcell stream MODEL FILE.wav, or a WAV through a pipe")
    with live_output(live) as out, signals() as wait:
        session = _Session(model, stream, live, wait, out)
        try:
            session.run()
        finally:
            session.end()
        if wait.stopped:
            raise typer.Exit(STOPPED + wait.stopped)


@contextmanager
def live_output(live: Live) -> Iterator[TextIO]:
    """Open where live answers go: a new file, or with a state one that the stream goes on in; else standard output.

    Raises:
        FileWriteError: it cannot be written.
        UsageError: it is there already, and nothing says that the stream goes on.
    """
    from loopcell.errors import FileWriteError, UsageError

    if live.output is None:
        yield sys.stdout
        return
    if live.form == "parquet":
        raise UsageError("live answers are lines, and Parquet is written as a whole: name a .jsonl, .csv or .tsv file")
    if live.output.exists() and (live.state is None or not live.state.exists()):
        raise UsageError(
            f"{live.output} is there already; name another file, or the --state that its stream goes on from"
        )
    try:
        file = live.output.open("a", encoding="utf-8", newline="")
    except OSError as error:
        raise FileWriteError(f"{live.output} cannot be written: {error.strerror}") from error
    with file:
        yield file


def to_file(output: Path | None) -> Path | None:
    """Return the file that live answers go to; None for standard output, whatever it is called."""
    return None if output is None or is_standard(output) else output


def is_of_sound(stream: Stream[Any]) -> bool:
    """Say whether a stream reads samples, not rows."""
    from loopcell.tasks.sequences.sound_stream import SoundStream

    return isinstance(stream, SoundStream)


def stream_of(model: Any, state: Path | None) -> Stream[Any]:
    """Return the model's stream where its state is, after a look whether that can be written."""
    from loopcell.errors import UsageError
    from loopcell.files.writable import demand_file

    if not hasattr(model, "stream"):
        kinds = "taggers, classifiers, regressors, forecasters, anomaly detectors and language models"
        raise UsageError(f"{named(model)} has no live answers: streams are of {kinds}")
    if state is None:
        return model.stream()  # type: ignore[no-any-return]
    demand_file(state)
    stream: Stream[Any] = model.stream()
    if state.exists():
        stream.load(state)
    return stream


# --- signals -------------------------------------------------------------------------------------------------------


class _Stopped(BaseException):
    """A signal came while nothing was being done."""


class Wait:
    """The waiting for a line, which a signal ends at once; what is being done with a line is finished first.

    Attributes:
        stopped: the signal that came; 0 for none.
    """

    def __init__(self) -> None:
        self.stopped, self._waiting = 0, False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self.stopped = number
        if self._waiting:
            raise _Stopped

    def each(self, lines: Iterator[ItemT]) -> Iterator[ItemT]:
        """Yield lines, or chunks of a sound, until there are no more or a signal has come."""
        while not self.stopped:
            try:
                self._waiting = True
                line = next(lines, None)
                self._waiting = False
            except _Stopped:
                return
            finally:
                self._waiting = False
            if line is None:
                return
            yield line


@contextmanager
def signals() -> Iterator[Wait]:
    """Let SIGINT and SIGTERM end the stream in order."""
    wait = Wait()
    before = {number: signal.signal(number, wait.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- lines ---------------------------------------------------------------------------------------------------------


class _Session:
    """One run over standard input.

    Args:
        model: whose notes are said.
        stream: its stream.
        live: how it is read and answered.
        wait: for lines.
        out: where answers go.
    """

    def __init__(self, model: Any, stream: Stream[Any], live: Live, wait: Wait, out: TextIO) -> None:
        from loopcell.data.readers.live_rows import LineForm, LiveRows

        lines = live.lines
        said = LineForm(lines.kind, lines.header, lines.delimiter, lines.quote, lines.names)
        self._model, self._stream, self._live, self._wait = model, stream, live, wait
        self._rows = LiveRows(NAME, stream.columns, said, stream.layout) if stream.columns else None
        self._write = LiveWriter(stream, live.lines.carried, DELIMITERS.get(live.form), out)
        self._blank = self._skipped = 0
        self._begun = self._kept = stream.rows
        self._moved = False  # by lines that were skipped

    def run(self) -> None:
        """Answer each line."""
        from loopcell.data.readers.live_lines import live_lines

        every = self._live.answers.state_every or sys.maxsize
        for line in self._wait.each(live_lines(sys.stdin.buffer, NAME, self._live.lines.encoding)):
            if not line.ended:
                say_note(f"{NAME} line {line.number} has no end: it is read as it stands")
            self._answer(line)
            if self._live.state is not None and self._stream.rows - self._kept >= every:
                self._save()

    def _answer(self, line: LiveLine) -> None:
        from loopcell.errors import DataError, InputError

        try:
            row = self._row(line)
            if row is None:
                return
            result = self._stream.step(row)
        except (DataError, InputError) as error:
            if self._live.answers.on_error == "stop":
                raise
            self._skipped += 1
            self._stream.pass_over()
            self._moved = True
            say(f"skipped: {as_sentence(error)}", err=True)
            return
        say_notes(getattr(self._model, "notes_", []))
        self._write(row, result)

    def _row(self, line: LiveLine) -> Record | None:
        """Return the row of a line; None for one that is none."""
        from loopcell.data import Origin, Record

        if line.error is not None:
            raise line.error
        if not self._rows:
            text = line.text + self._stream.line_end
            if text:
                return Record({ROW: text}, Origin(NAME, self._stream.rows + 1, line.number))
        elif line.text.strip():
            row = self._rows.row(line.number, line.text)
            say_notes(self._rows.notes)
            return row
        self._blank += 1
        return None

    def _save(self) -> None:
        assert self._live.state is not None
        if self._rows and self._rows.layout:
            self._stream.layout = self._rows.layout
        self._stream.save(self._live.state)
        self._kept, self._moved = self._stream.rows, False

    def end(self) -> None:
        """Write the state, and say what was read."""
        if self._live.state is not None and (self._stream.rows != self._kept or self._moved):
            self._save()
        rows = self._stream.rows - self._begun
        where = "" if self._live.state is None else f"; the state after {self._stream.rows:,} is in {self._live.state}"
        say_note(f"{rows:,} row{'s' * (rows != 1)} answered{where}")
        if self._blank:
            say_note(f"{self._blank:,} blank line{'s' * (self._blank != 1)} left out")
        if self._skipped:
            say_note(f"{self._skipped:,} line{'s' * (self._skipped != 1)} skipped, as said above")


class LiveWriter:
    """Lines of answers: what of a row the model does not read, as it is, and what the model says.

    Args:
        stream: whose answers.
        wanted: the columns that are carried over; none for all that the model does not read.
        delimiter: of a table with a header; None writes JSON lines.
        out: where they go; a table that is there already has its header.
    """

    def __init__(self, stream: Stream[Any], wanted: Sequence[str], delimiter: str | None, out: TextIO) -> None:
        self._stream, self._wanted, self._delimiter, self._out = stream, wanted, delimiter, out
        self._carried: tuple[str, ...] | None = None

    def __call__(self, row: Record, result: Any) -> None:
        """Write the answer to a row, so that it is there at once."""
        if self._carried is None:
            self._carried = self._begin(row)
        carried = {name: row.values.get(name) for name in self._carried}
        if self._delimiter is not None:
            self._out.write(_line([*carried.values(), *self._stream.flat(result)], self._delimiter))
        else:
            self._out.write(json.dumps(carried | self._stream.record(result), ensure_ascii=False) + "\n")
        self._out.flush()

    def _begin(self, row: Record) -> tuple[str, ...]:
        """Return the names of what is carried over; a table begins with its header."""
        own = (*self._stream.fields, *self._stream.names)
        for name in self._wanted:
            row.get(name)  # says that there is none
        free = self._wanted or [name for name in row.values if name not in self._stream.read]
        for name in free:
            if name in own:
                say_note(f"the column {name!r} is not carried over: the answer has one of that name")
        carried = tuple(name for name in free if name not in own)
        if self._delimiter is not None and not (self._out is not sys.stdout and self._out.tell()):
            self._out.write(_line([*carried, *self._stream.fields], self._delimiter))
        return carried


def _line(cells: list[Any], delimiter: str) -> str:
    """Return a line of a table; what is not there is an empty cell."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return line.getvalue()
