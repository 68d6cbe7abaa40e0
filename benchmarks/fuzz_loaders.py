"""The loaders that are given hostile files: how often, and what becomes of one file."""

from __future__ import annotations

import random
import re
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from benchmarks.fuzz_mutations import hostile
from loopcell.errors import LoopcellError

SECONDS, MEGABYTES = 2.0, 500.0  # of processor time and of memory that one file may take
LAST_SECONDS = 10.0  # after which a case is stopped
LONGEST_MESSAGE = 2000
UNFORESEEN = re.compile(r"(?: row \d+)? cannot be read(?: as sound| as an image| after row \d+)? \((\w+): ")
STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Loader(NamedTuple):
    """A way to read files.

    Attributes:
        load: reads one, and uses what is in it.
        share: how many of a thousand cases it gets.
    """

    load: Callable[[Path], object]
    share: int


class Outcome(NamedTuple):
    """The outcome of a case.

    Attributes:
        loader: whose case it was.
        what: "read", "refused", "unforeseen" (refused, in another library's words), or "failed".
        why: of a failure, a sentence that is the same for the same fault.
        seconds: of processor time.
        megabytes: of memory, more than before.
    """

    loader: str
    what: str
    why: str
    seconds: float
    megabytes: float


def _rows(path: Path) -> None:
    from loopcell.data import read

    for record in read(path):
        str(record)


def _sound(path: Path) -> None:
    from loopcell.data import LogMel, Mfcc, RawAudio

    for features in (RawAudio(16_000), LogMel(16_000, bands=10), Mfcc(8000, bands=10, coefficients=4)):
        features(path)


def _image(path: Path) -> None:
    from loopcell.data import ImagePixels, ImageRows
    from loopcell.data.features.images import image_size

    image_size(path)
    ImageRows(6, 5)(path)
    ImagePixels(4, 4, colour=True)(path)


def _series(path: Path) -> None:
    from loopcell.data import series_from

    series_from(path, time="date", target=["x"], past=["y"], missing=True)


def _vectors(path: Path) -> None:
    from loopcell.tasks.word_vectors.foreign_files import read

    read(path)


def _tokens(path: Path) -> None:
    from loopcell.data.text.tokens import TokenFile

    TokenFile.open(path).verify()


def _state(path: Path) -> None:
    from loopcell import State

    repr(State.load(path).detach())


def _series_state(path: Path) -> None:
    from loopcell.tasks import SeriesState

    repr(SeriesState.load(path))


def _cell(path: Path) -> None:
    from loopcell import Cell
    from loopcell.data.text.source import read_text

    Cell.from_json(read_text(path)).text()


def _model(path: Path) -> None:
    """Load a model, and put it to its work where that is the same for all of its kind."""
    from loopcell import load_model
    from loopcell.data.limits import LONGEST_ANSWER

    model = load_model(path)
    repr(model)
    for X in _examples() if hasattr(model, "predict") else ():
        try:
            model.predict(X)
        except LoopcellError as error:  # most models take another kind of X
            if LONGEST_ANSWER.variable in str(error):
                return  # another X would be answered at the same length


@cache
def _examples() -> tuple[Any, ...]:
    """Return a little X for each kind of model."""
    wave = np.sin(np.arange(80) / 3)[:, None] + np.arange(2)
    return ["ab", "ba"], [np.zeros((3, 2))], [["a b", "b a"]], [np.zeros((8, 10), np.float32)], wave


def _ragged(path: Path) -> None:
    from loopcell.data import Ragged

    folder = _beside(path)
    (folder / path.name.partition("-")[2]).write_bytes(path.read_bytes())
    list(Ragged.open(folder))


def _store(path: Path) -> None:
    from loopcell.data import open_store

    folder = _beside(path)
    (folder / "columns.json").write_bytes(path.read_bytes())
    for column in open_store(folder).values():
        list(column)
        str(column.origins[0])


def _checkpoint(path: Path) -> None:
    """Go on with a run that was over, from a checkpoint or a config that is hostile."""
    from loopcell.tasks.core.from_files.run import resume

    folder = _beside(path)
    name = path.name.partition("-")[2]
    target = folder / ("config.json" if name == "config.json" else f"checkpoints/{name}")
    target.write_bytes(path.read_bytes())
    resume(folder)


def _beside(path: Path) -> Path:
    """Return a copy of the whole folder that the file belongs to."""
    folder = path.parent / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(path.parent / "whole", folder)
    return folder


LOADERS = {
    "read": Loader(_rows, 640),
    "sound": Loader(_sound, 80),
    "image": Loader(_image, 80),
    "series": Loader(_series, 40),
    "vectors": Loader(_vectors, 40),
    "tokens": Loader(_tokens, 20),
    "ragged": Loader(_ragged, 10),
    "store": Loader(_store, 10),
    "state": Loader(_state, 20),
    "series-state": Loader(_series_state, 10),
    "cell": Loader(_cell, 18),
    "model": Loader(_model, 30),
    "checkpoint": Loader(_checkpoint, 2),
}


class _TooLongError(BaseException):
    """A case does not end; none of the loaders catches it."""


def drawn_case(seed: int, corpus: Path, only: str | None = None) -> tuple[str, str, bytes]:
    """Return the loader of a seed, the name of the file, and the hostile file."""
    drawn = random.Random(seed)
    (name,) = drawn.choices(list(LOADERS), [loader.share for loader in LOADERS.values()])
    name = only or name
    chosen, data = drawn.choice(_whole_files(corpus / name))
    return name, chosen, hostile(data, drawn)


@cache
def _whole_files(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((path.name, path.read_bytes()) for path in folder.iterdir() if path.is_file())


def read_whole(corpus: Path, scratch: Path) -> None:
    """Read every file as it is: each has to be read, and what is imported on the way is in nobody's time.

    Raises:
        LoopcellError: a whole file is refused, so nothing would be learned from what is made of it.
    """
    for name, loader in LOADERS.items():
        place = _prepared(name, corpus, scratch)
        for file, data in _whole_files(corpus / name):
            path = place / f"0-{file}"
            path.write_bytes(data)
            loader.load(path)
            path.unlink()


def _prepared(name: str, corpus: Path, scratch: Path) -> Path:
    """Return the folder of a loader, with the whole folder that its file is a part of, if it is of one."""
    place = scratch / name
    if not place.exists():
        place.mkdir()
        if (corpus / name / "whole").is_dir():
            shutil.copytree(corpus / name / "whole", place / "whole")
    return place


def try_case(seed: int, corpus: Path, scratch: Path, only: str | None = None) -> Outcome:
    """Give a loader the hostile file of a seed.

    Args:
        seed: decides everything.
        corpus: the folder that `make_corpus` filled.
        scratch: a folder for the file.
        only: the loader, instead of the drawn one.
    """
    name, file, data = drawn_case(seed, corpus, only)
    path = _prepared(name, corpus, scratch) / f"{seed}-{file}"
    path.write_bytes(data)
    try:
        return _watched(name, LOADERS[name], path)
    finally:
        path.unlink()


def _watched(name: str, loader: Loader, path: Path) -> Outcome:
    before, started = _begin_memory(), time.process_time()
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, LAST_SECONDS)
    what, why = "read", ""
    try:
        loader.load(path)
    except LoopcellError as error:
        what, why = _refusal(str(error), path)
    except (Exception, _TooLongError) as error:  # noqa: BLE001 - what must not come is what this looks for
        what, why = "failed", _signature(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds, megabytes = time.process_time() - started, _peak_memory() - before
    if what != "failed" and seconds > SECONDS:
        what, why = "failed", f"it took more than {SECONDS:g} s ({_kind(path)})"
    if what != "failed" and megabytes > MEGABYTES:
        what, why = "failed", f"it took more than {MEGABYTES:g} MB ({_kind(path)})"
    return Outcome(name, what, why, seconds, megabytes)


def _refusal(message: str, path: Path) -> tuple[str, str]:
    """Return whether a sentence is one that a user can be shown."""
    if len(message) > LONGEST_MESSAGE:
        return "failed", f"a sentence of more than {LONGEST_MESSAGE:,} characters ({_kind(path)}: {message[-60:]!r})"
    if not message.replace("\n", " ").isprintable():
        at = next(place for place, letter in enumerate(message) if not letter.isprintable() and letter != "\n")
        return "failed", f"a sentence with {message[at]!r} ({_kind(path)}: {message[at + 1 : at + 40]!r})"
    found = UNFORESEEN.match(message.removeprefix(str(path)))
    return ("unforeseen", f"{found[1]} ({path.suffix})") if found else ("refused", "")


def _kind(path: Path) -> str:
    return path.name.partition("-")[2]


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _TooLongError(f"it took more than {LAST_SECONDS:g} s")


def _signature(error: BaseException) -> str:
    """Return the kind of an exception and the last line of ours that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "loopcell" in frame.filename and "/fuzz_" not in frame.filename]
    last = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} in {last.filename.rpartition('loopcell/')[2]}, {last.name}: {str(error)[:80]!r}"


def limit_memory(megabytes: int) -> None:
    """Let this process have so much more memory than it has, so that a case harms nobody else."""
    now = _status("VmSize")
    most = int((now + megabytes) * (1 << 20))
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _begin_memory() -> float:
    """Return the memory that this process has now, in megabytes; the peak is forgotten, where the system lets us."""
    try:
        PEAK.write_text("5", encoding="ascii")
    except OSError:
        return _status("VmHWM")
    return _status("VmRSS")


def _peak_memory() -> float:
    return _status("VmHWM")


def _status(field: str) -> float:
    """Return a line of the system's on this process, in megabytes; 0 where there is none."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)
