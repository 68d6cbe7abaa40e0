"""Time series: from tables and frames, checked for gaps and duplicates, and cut into windows."""

from loopcell.data.series.cycles import calendar
from loopcell.data.series.frames import Series, series_from
from loopcell.data.series.times import Step, read_times, regular_step
from loopcell.data.series.windows import Window, WindowBatch, Windows

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
