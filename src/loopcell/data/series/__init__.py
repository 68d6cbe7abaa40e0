"""Time series: from tables and frames, checked for gaps and duplicates."""

from loopcell.data.series.cycles import CYCLES, DATE_PARTS, calendar, date_part, is_holiday
from loopcell.data.series.frames import Layout, read_layout, series_from
from loopcell.data.series.gaps import filled_between
from loopcell.data.series.holidays import read_days
from loopcell.data.series.series import Series
from loopcell.data.series.showing import shown
from loopcell.data.series.stamps import Stamps, read_stamps
from loopcell.data.series.steps import Step
from loopcell.data.series.times import find_step, read_times, regular_step
from loopcell.data.series.zones import check_zone, wall

__all__ = [
    "CYCLES",
    "DATE_PARTS",
    "Layout",
    "Series",
    "Stamps",
    "Step",
    "calendar",
    "check_zone",
    "date_part",
    "filled_between",
    "find_step",
    "is_holiday",
    "read_days",
    "read_layout",
    "read_stamps",
    "read_times",
    "regular_step",
    "series_from",
    "shown",
    "wall",
]
