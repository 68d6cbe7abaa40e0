"""The folder of a run and the files in it."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from loopcell.errors import FileFormatError, FileWriteError, UsageError
from loopcell.files import atomic_write


@dataclass(frozen=True)
class RunFolder:
    """The names inside a run's folder.

    Attributes:
        path: the folder.
    """

    path: Path
    MEMBER: ClassVar[str] = "member-"

    @classmethod
    def create(cls, path: Path, config: dict[str, Any] | None = None) -> RunFolder:
        """Make a new run's folders.

        Args:
            path: the folder, which may hold what is left of a run that was killed while its folder was made.
            config: what was asked for. It is written before anything else, so that a run which is killed later can
                be resumed from its beginning.

        Raises:
            UsageError: the folder already holds something, or cannot be made.
            FileWriteError: the disk is full.
        """
        cls.demand_free(path)
        run = cls(path)
        if config is not None:
            run.make(path)
            run.write_json(run.config, config)
        run.make_folders()
        return run

    @classmethod
    def demand_free(cls, path: Path) -> None:
        """Refuse a folder that already holds something; UsageError."""
        if path.exists() and (not path.is_dir() or cls(path).contents()):
            raise UsageError(f"{path} already exists and is not empty; resume that run or name another folder")

    def contents(self) -> list[Path]:
        """Return what is in the folder, but for the lock and what a killed process leaves of a file half written."""
        ours = (self.lock.name, f".{self.config.name}.")
        return [entry for entry in self.path.iterdir() if not entry.name.startswith(ours)]

    def clear(self) -> None:
        """Remove all that the folder holds; the lock stays."""
        for entry in self.contents():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def make_folders(self) -> None:
        """Make the folders that are not there; UsageError when one cannot be made."""
        self.make(self.checkpoints, self.tensorboard, self.tokens)

    def make(self, *folders: Path) -> None:
        """Make some folders and those above them; UsageError when one cannot be made."""
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the run folder {self.path} cannot be made: {error.strerror}") from error

    def never_began(self) -> bool:
        """Return whether the run was cut off before its first checkpoint: it has none, and no row of metrics either."""
        if self.last.exists() or any(not RunFolder(member).never_began() for member in self.members()):
            return False
        return not self.metrics.exists() or self.metrics.read_bytes().count(b"\n") < 2

    def members(self) -> list[Path]:
        """Return the folders of the networks of an ensemble, each a run of its own; none of a single network."""
        return sorted(self.path.glob(f"{self.MEMBER}*/"))

    @property
    def lock(self) -> Path:
        """The file that the process which trains here holds (`run_lock`)."""
        return self.path / ".lock"

    @property
    def config(self) -> Path:
        """The request for the run, as JSON."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """The curve, as CSV."""
        return self.path / "metrics.csv"

    @property
    def watched(self) -> Path:
        """The looks at the layers, as CSV: a row for each number (`Measure`). A run that was not watched has none."""
        return self.path / "watched.csv"

    @property
    def machine(self) -> Path:
        """The machine that trained last, as JSON."""
        return self.path / "machine.json"

    @property
    def pace(self) -> Path:
        """The numbers that were used where a setting is "auto", as JSON."""
        return self.path / "pace.json"

    @property
    def score(self) -> Path:
        """The scores at the end, as JSON."""
        return self.path / "score.json"

    @property
    def failure(self) -> Path:
        """The reason why training could not go on, as JSON: `message`, and the last `update` that was made."""
        return self.path / "failure.json"

    @property
    def tensorboard(self) -> Path:
        """The curve, for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The newest checkpoint: a run is resumed from it."""
        return self.checkpoints / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest held-out loss."""
        return self.checkpoints / "best.safetensors"

    @property
    def model(self) -> Path:
        """The best model, self-contained."""
        return self.path / "model.safetensors"

    @property
    def tokens(self) -> Path:
        """The folder of the token files."""
        return self.path / "tokens"

    @property
    def vocabulary(self) -> Path:
        """The vocabulary, as JSON."""
        return self.path / "vocabulary.json"

    def note_failure(self, update: int, message: str) -> None:
        """Write why training could not go on after an update; a full disk does not hide the reason itself."""
        with suppress(FileWriteError):
            self.write_json(self.failure, {"update": update, "message": message})

    def forget_failure(self) -> None:
        """Remove what an earlier try that failed has left."""
        self.failure.unlink(missing_ok=True)

    def write_json(self, path: Path, values: dict[str, Any]) -> None:
        """Write one of the JSON files."""
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def read_json(self, path: Path) -> dict[str, Any]:
        """Read one of the JSON files.

        Raises:
            FileFormatError: it is missing or damaged.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            # Halves of characters ("\ud800") could be read, and never be written again.
            json.dumps(values, ensure_ascii=False).encode("utf-8")
        except FileNotFoundError as error:
            raise FileFormatError(f"the run is damaged: there is no {path}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{path} is damaged: it is not JSON") from error
        if not isinstance(values, dict):
            raise FileFormatError(f"{path} is damaged: it is not a JSON object")
        return values

    def read_config(self) -> dict[str, Any]:
        """Read `config.json`; UsageError when the folder is not a run."""
        if not self.config.is_file():
            raise UsageError(f"{self.path} is not the folder of a run: it has no {self.config.name}")
        return self.read_json(self.config)


def free_folder(parent: Path, name: str) -> Path:
    """Return a path that is not there yet: `parent/name`, or `parent/name-2` and so on."""
    path, number = parent / name, 1
    while path.exists():
        number += 1
        path = parent / f"{name}-{number}"
    return path
