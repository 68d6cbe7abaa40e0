"""SeriesState: what has to be kept of series to go on with them tomorrow, without their history."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Step
from loopcell.data.examples import Scale
from loopcell.errors import FileFormatError
from loopcell.files.tensors import HOSTILE, FileKind, TensorFile, read_tensor_file, write_tensor_file
from loopcell.layers import State
from loopcell.tasks.forecasting.coverage import Tracked
from loopcell.tasks.forecasting.network import Memory

Floats = npt.NDArray[np.float64]
NOTHING = Tracked(np.empty((0, 0, 0)), np.empty((0, 0, 0, 0)))  # where no quantiles follow

_KIND = FileKind("loopcell-series-state", 1, "loopcell state of series", digest=True)


class StoredHistory(NamedTuple):
    """The history of one series.

    Attributes:
        time: of the last step that was read.
        step: what lies between two times; None where that was not asked for.
        scale: of its targets.
        memory: of the network, a batch of one.
        tracked: of quantiles that follow the values; None where they do not.
        still: bool [K], which columns never varied when the state was begun, so that they have no scale.
        trained_on: whether the series is one that training had.
        newest: the newest number of each covariate that is a column, NaN where none came; empty where there is none.
    """

    time: Any
    step: Step | None
    scale: Scale
    memory: Memory
    tracked: Tracked | None
    still: npt.NDArray[np.bool_]
    trained_on: bool = False
    newest: npt.NDArray[np.float64] = np.empty(0)


class SeriesState(Mapping[str, StoredHistory]):
    """The state of each series, by name. A value: reading on gives another one.

    Args:
        kept: of each series.
    """

    def __init__(self, kept: Mapping[str, StoredHistory]) -> None:
        self._kept = dict(kept)

    def __getitem__(self, name: str) -> StoredHistory:
        return self._kept[name]

    def __iter__(self) -> Any:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<state of {len(self):,} series>"

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state to a file, whole or not at all.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        tensors: dict[str, Tensor] = {}
        facts = []
        for number, (name, kept) in enumerate(self.items()):
            known, parts = parts_of(kept)
            facts.append({"name": name, **known})
            tensors |= {f"{number}.{key}": tensor for key, tensor in parts.items()}
        write_tensor_file(Path(path), _KIND, TensorFile(tensors, {"series": facts}))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> SeriesState:
        """Read a state back; the file is checked and runs no code.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
        """
        content = read_tensor_file(Path(path), _KIND)
        try:
            return cls(
                {
                    str(facts["name"]): of_parts(facts, below(content.tensors, str(number)))
                    for number, facts in enumerate(content.facts["series"])
                }
            )
        except HOSTILE as error:
            raise FileFormatError(f"{path} is damaged: it does not describe the state of series") from error


def below(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a name and a dot, by what follows it."""
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def parts_of(kept: StoredHistory) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what is kept of one series as JSON values and tensors."""
    facts, tensors = memory_parts(kept.memory, kept.scale, kept.newest)
    for name, array in (kept.tracked or NOTHING)._asdict().items():
        tensors[f"tracked.{name}"] = torch.from_numpy(array)
    still = np.flatnonzero(kept.still).tolist()
    facts |= {**time_to_json(kept.time, kept.step), "still": still, "trained_on": kept.trained_on}
    return facts, tensors


def memory_parts(memory: Memory, scale: Scale, newest: Floats) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what a network keeps of one series as JSON values and tensors."""
    tensors = {f"state.{name}": tensor for name, tensor in memory.recurrent.items()}
    more = {"ages": memory.ages, "passed": memory.passed}
    tensors |= {"recent": memory.recent} | {name: one for name, one in more.items() if one is not None}
    tensors |= {f"scale.{name}": torch.from_numpy(values) for name, values in scale._asdict().items()}
    tensors |= {"newest": torch.from_numpy(newest)} if len(newest) else {}
    contiguous = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    return {"states": list(memory.recurrent)}, contiguous


def of_parts(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> StoredHistory:
    """Return what `parts_of` gave; ValueError, TypeError or KeyError for anything else."""
    memory, scale, newest = memory_of_parts(facts, tensors)
    seen = Tracked(*(tensors[f"tracked.{name}"].double().numpy() for name in Tracked._fields))
    if seen.open.shape[1:] != seen.shift.shape or len(seen.open) != len(seen.shift):
        raise ValueError("its quantiles do not fit each other")
    tracked = seen if seen.shift.size else None
    still = np.isin(np.arange(len(scale.mean)), np.array(facts.get("still", []), np.int64))
    trained_on = facts.get("trained_on", False) is True
    return StoredHistory(*time_from_json(facts), scale, memory, tracked, still, trained_on, newest)


def memory_of_parts(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[Memory, Scale, Floats]:
    """Return what `memory_parts` gave; ValueError, TypeError or KeyError for anything else."""
    recurrent = State(**{str(name): tensors[f"state.{name}"] for name in facts["states"]})
    memory = Memory(tensors["recent"], recurrent, tensors.get("ages"), tensors.get("passed"))
    mean, size = (tensors[f"scale.{name}"].double().numpy() for name in ("mean", "size"))
    if memory.recent.ndim != 3 or mean.shape != size.shape or mean.shape != memory.recent.shape[2:]:
        raise ValueError("its tensors do not fit each other")
    newest = tensors.get("newest", torch.empty(0)).double().numpy()
    if newest.ndim != 1:
        raise ValueError("its covariates are none")
    return memory, Scale(mean, size), newest


def time_to_json(time: Any, step: Step | None) -> dict[str, Any]:
    """Return the last time of a series and its step as JSON values."""
    written = str(time) if isinstance(time, np.datetime64) else np.asarray(time).item()
    return {"time": written, "step": step and step.to_json()}


def time_from_json(facts: Mapping[str, Any]) -> tuple[Any, Step | None]:
    """Return what `time_to_json` gave; ValueError, TypeError or KeyError for anything else."""
    time = facts["time"]
    if isinstance(time, str):
        time = np.datetime64(time)
        time = time if np.datetime_data(time.dtype)[0] == "ns" else time.astype("datetime64[us]")
        if np.isnat(time):
            raise ValueError("its time is none")
    elif not isinstance(time, int | float):
        raise TypeError("its time is none")
    return time, None if facts["step"] is None else Step.from_json(facts["step"])
