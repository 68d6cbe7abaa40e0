"""Time series: from tables and frames, checked for gaps and duplicates, and cut into windows."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loopcell.data.series.cycles import calendar
from loopcell.data.series.frames import Series, series_from
from loopcell.data.series.times import Step, read_times, regular_step

if TYPE_CHECKING:
    from loopcell.data.series.windows import Window as Window, WindowBatch as WindowBatch, Windows as Windows

# Imported when first asked for: reading files does not wait for torch.
WITH_TORCH = ("Window", "WindowBatch", "Windows")

__all__ = [
    "Series",
    "Step",
    "Window",
    "WindowBatch",
    "Windows",
    "calendar",
    "read_times",
    "regular_step",
    "series_from",
]


def __getattr__(name: str) -> Any:
    if name not in WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("loopcell.data.series.windows"), name)
