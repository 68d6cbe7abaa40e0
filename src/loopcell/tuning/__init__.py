"""Tuning: the arguments with which an estimator does best on what it holds out, found by trying."""

from __future__ import annotations

from loopcell.tuning.results import Tuning as Tuning
from loopcell.tuning.searching import tune as tune
from loopcell.tuning.space import Interval as Interval, Space as Space, usual_space as usual_space
from loopcell.tuning.trials import Trial as Trial

__all__ = ["Interval", "Space", "Trial", "Tuning", "tune", "usual_space"]
