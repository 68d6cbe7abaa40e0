"""StreamState: where a stream stands, as a value and as a file that runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from loopcell.errors import FileFormatError, quoted
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file

_KIND = FileKind("loopcell-stream-state", 1, "loopcell state of a stream", digest=True)
_FACTS: Mapping[str, type] = {"task": str, "model": str, "rows": int, "layout": dict, "facts": dict}
MOST_ROWS = 2**63


@dataclass(frozen=True, eq=False)
class StreamState:
    """All that a stream needs to go on: a value, which `stream.state` gives and takes.

    Attributes:
        task: of the model.
        model: a fingerprint of the model: of its weights, and of all else that it computes with.
        rows: how many rows were read; of a network's stream, steps.
        layout: how the lines of a text are cut into these, as JSON values, so that going on needs no header.
        facts: JSON values; tensors: by name.
    """

    task: str
    model: str
    rows: int = 0
    layout: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<state of a stream of {self.rows:,} rows, of a {self.task}>"

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state to a file, whole or not at all.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        facts = {name: getattr(self, name) for name in _FACTS}
        write_tensor_file(Path(path), _KIND, TensorFile(dict(self.tensors), facts))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> StreamState:
        """Read a state back; the file is checked and runs no code.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
        """
        content = read_tensor_file(Path(path), _KIND)
        for name, kind in _FACTS.items():
            if type(content.facts.get(name)) is not kind:
                raise FileFormatError(f"{path} is damaged: its {name!r} is {quoted(content.facts.get(name))}")
        if not 0 <= content.facts["rows"] < MOST_ROWS:
            raise FileFormatError(f"{path} is damaged: its count of rows is {quoted(content.facts['rows'])}")
        return cls(**{name: content.facts[name] for name in _FACTS}, tensors=content.tensors)
