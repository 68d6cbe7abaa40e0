"""Time series: from tables and frames, checked for gaps and duplicates."""

from loopcell.data.series.cycles import calendar
from loopcell.data.series.frames import Layout, Series, read_layout, series_from
from loopcell.data.series.showing import shown
from loopcell.data.series.stamps import Stamps, read_stamps
from loopcell.data.series.steps import Step
from loopcell.data.series.times import find_step, read_times, regular_step
from loopcell.data.series.zones import check_zone, wall

__all__ = [
    "Layout",
    "Series",
    "Stamps",
    "Step",
    "calendar",
    "check_zone",
    "find_step",
    "read_layout",
    "read_stamps",
    "read_times",
    "regular_step",
    "series_from",
    "shown",
    "wall",
]
