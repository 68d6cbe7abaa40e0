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
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file
from loopcell.layers import State
from loopcell.tasks.core.model_file import HOSTILE
from loopcell.tasks.forecasting.coverage import Tracked
from loopcell.tasks.forecasting.network import Memory

NOTHING = Tracked(np.empty((0, 0, 0)), np.empty((0, 0, 0, 0)))  # where no quantiles follow

_KIND = FileKind("loopcell-series-state", 1, "loopcell state of series")


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
            states = {f"{number}.state.{key}": tensor for key, tensor in kept.memory.recurrent.items()}
            sizes = {"mean": torch.from_numpy(kept.scale.mean), "size": torch.from_numpy(kept.scale.size)}
            tensors |= {f"{number}.recent": kept.memory.recent, **states}
            tensors |= {} if kept.memory.ages is None else {f"{number}.ages": kept.memory.ages}
            tensors |= {f"{number}.newest": torch.from_numpy(kept.newest)} if len(kept.newest) else {}
            tensors |= {f"{number}.scale.{key}": tensor for key, tensor in sizes.items()}
            for key, array in (kept.tracked or NOTHING)._asdict().items():
                tensors[f"{number}.tracked.{key}"] = torch.from_numpy(array)
            still = np.flatnonzero(kept.still).tolist()
            facts.append({"name": name, "states": list(kept.memory.recurrent), **_time_to_json(kept), "still": still})
            facts[-1]["trained_on"] = kept.trained_on
        contiguous = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        write_tensor_file(Path(path), _KIND, TensorFile(contiguous, {"series": facts}))

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
                    str(facts["name"]): _kept(facts, number, content.tensors)
                    for number, facts in enumerate(content.facts["series"])
                }
            )
        except HOSTILE as error:
            raise FileFormatError(f"{path} is damaged: it does not describe the state of series") from error


def _kept(facts: Mapping[str, Any], number: int, tensors: Mapping[str, Tensor]) -> StoredHistory:
    recurrent = State(**{str(name): tensors[f"{number}.state.{name}"] for name in facts["states"]})
    memory = Memory(tensors[f"{number}.recent"], recurrent, tensors.get(f"{number}.ages"))
    mean, size = (tensors[f"{number}.scale.{name}"].double().numpy() for name in ("mean", "size"))
    if memory.recent.ndim != 3 or mean.shape != size.shape or mean.shape != memory.recent.shape[2:]:
        raise ValueError("its tensors do not fit each other")
    seen = Tracked(*(tensors[f"{number}.tracked.{name}"].double().numpy() for name in Tracked._fields))
    if seen.open.shape[1:] != seen.shift.shape or len(seen.open) != len(seen.shift):
        raise ValueError("its quantiles do not fit each other")
    tracked = seen if seen.shift.size else None
    still = np.isin(np.arange(len(mean)), np.array(facts.get("still", []), np.int64))
    newest = tensors.get(f"{number}.newest", torch.empty(0)).double().numpy()
    if newest.ndim != 1:
        raise ValueError("its covariates are none")
    return StoredHistory(
        *_time_from_json(facts),
        Scale(mean, size),
        memory,
        tracked,
        still,
        facts.get("trained_on", False) is True,
        newest,
    )


def _time_to_json(kept: StoredHistory) -> dict[str, Any]:
    time = str(kept.time) if isinstance(kept.time, np.datetime64) else np.asarray(kept.time).item()
    return {"time": time, "step": kept.step and kept.step.to_json()}


def _time_from_json(facts: Mapping[str, Any]) -> tuple[Any, Step | None]:
    time = facts["time"]
    if isinstance(time, str):
        time = np.datetime64(time)
        time = time if np.datetime_data(time.dtype)[0] == "ns" else time.astype("datetime64[us]")
        if np.isnat(time):
            raise ValueError("its time is none")
    elif not isinstance(time, int | float):
        raise TypeError("its time is none")
    return time, None if facts["step"] is None else Step.from_json(facts["step"])
