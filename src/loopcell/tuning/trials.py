"""Trials of a search, and the folder that keeps them: a file each, written when it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from loopcell.comparison.contents import PLAIN
from loopcell.comparison.plain_json import json_of, read_table, write_table
from loopcell.errors import FileFormatError, UsageError
from loopcell.files.writable import demand_folder
from loopcell.tasks.core.verdict import LOSSES
from loopcell.tuning.space import Space, is_choice, joined

HEADING, MODEL_FILE = "tuning.json", "model.safetensors"
OTHERS = {
    "task": "another job", "space": "other choices", "arguments": "other arguments", "seed": "another seed",
    "pruning": "another way to end trials",
}  # fmt: skip
"""How a search that differs in one entry of the heading is called."""
State = Literal["finished", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One training with settings of its own.

    Attributes:
        number: which one it was, from 0.
        settings: the arguments that were chosen for it.
        choices: by argument (or arguments that go together, joined by commas), the chosen number of an interval or the
            place of the chosen value in its list.
        state: "finished"; "pruned", ended early, since others were better at the same point; or "failed", where the
            settings were refused or the loss was no number any more.
        metric: the name of the score.
        score: on what was held out; None where it did not finish.
        figures: the held-out losses after each pass, as far as it came.
        seconds: the time that the training took.
        reason: the sentence of a failure.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    number: int
    settings: Mapping[str, Any]
    choices: Mapping[str, int | float]
    state: State
    metric: str = ""
    score: float | None = None
    figures: Sequence[float] = field(default_factory=list)
    seconds: float = 0.0
    reason: str = ""

    @property
    def cost(self) -> float | None:
        """The score, or less it where more is better: less is better of a cost."""
        return self.score if self.score is None or self.metric in LOSSES else -self.score


class TrialStore:
    """The folder of one search.

    Args:
        folder: new, or that of the same search; None keeps nothing.
        heading: what is the same for all its trials.

    Raises:
        UsageError: the folder is that of another search, or of something else.
        FileFormatError: its heading is damaged.
        FileWriteError: it cannot be made, or may not be written.
    """

    def __init__(self, folder: Path | None, heading: Mapping[str, Any]) -> None:
        self._folder = folder
        self._heading: dict[str, Any] = json.loads(json_of(heading))
        if folder is None:
            return
        demand_folder(folder)
        if (folder / HEADING).is_file():
            self._demand_same(read_table(folder / HEADING, "name a new folder"))
        elif folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is there and is no search; name a new folder")

    def trials(self, space: Space) -> list[Trial]:
        """Return the trials that ended before, from the first to the last without a gap; their settings are text.

        Args:
            space: what each of them has a choice of.

        Raises:
            FileFormatError: the file of one is damaged.
        """
        found: list[Trial] = []
        while self._folder is not None and (path := self._path(len(found))).is_file():
            found.append(_trial(path, len(found), space))
        return found

    def add(self, trial: Trial, model: Any) -> None:
        """Write a trial that ended, and its model where it is the best so far; the folder is made with the first one.

        The model goes first, under the trial's name: `settle` makes it that of the folder.
        """
        if self._folder is None:
            return
        if not (self._folder / HEADING).is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_table(self._folder / HEADING, self._heading)
        if model is not None:
            model.save(self._path(trial.number).with_suffix(".safetensors"))
        settings = {name: value if isinstance(value, PLAIN) else str(value) for name, value in trial.settings.items()}
        write_table(self._path(trial.number), {**asdict(trial), "settings": settings})

    def settle(self, best: Trial | None) -> None:
        """Make the model of the best trial that of the folder, where an end in between has left it apart."""
        if self._folder is None or best is None:
            return
        path = self._path(best.number).with_suffix(".safetensors")
        if path.is_file():
            path.replace(self._folder / MODEL_FILE)

    @property
    def model(self) -> Path | None:
        """The file of the best model so far; None where nothing is kept."""
        return None if self._folder is None else self._folder / MODEL_FILE

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"trial-{number:04}.json"

    def _demand_same(self, before: Mapping[str, Any]) -> None:
        for name, now in self._heading.items():
            if before.get(name) != now:
                what = "on other data, or the data changed" if name == "contents" else f"with {OTHERS[name]}"
                earlier = before.get(name)
                if name == "arguments" and isinstance(earlier, dict):
                    what += f" ({', '.join(key for key in now if earlier.get(key) != now[key])})"
                raise UsageError(f"{self._folder} is that of a search {what}; name a new folder")


def _trial(path: Path, number: int, space: Space) -> Trial:
    cure = "remove it and those after it, and they are made again"
    content = read_table(path, cure)
    try:
        found = TypeAdapter(Trial).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FileFormatError(f"{path} is damaged: {where}: {first['msg']}; {cure}") from error
    if (
        found.number != number
        or set(found.choices) != {joined(key) for key in space}
        or (found.state == "finished") == (found.score is None)
    ):
        raise FileFormatError(f"{path} is damaged: it is no trial {number} of this search; {cure}")
    for key, choices in space.items():
        if not is_choice(found.choices[joined(key)], choices):
            raise FileFormatError(f"{path} is damaged: it has no choice of {joined(key)}; {cure}")
    return found
