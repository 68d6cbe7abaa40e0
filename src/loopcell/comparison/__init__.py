"""Comparison: cells on one job under the same budget, what each reaches, how far back, and what it costs."""

from loopcell.comparison.comparing import compare
from loopcell.comparison.on_data import OnData
from loopcell.comparison.on_problem import OnProblem
from loopcell.comparison.problems import Problem, adding_problem, copying_problem, delayed_recall
from loopcell.comparison.results import CellCost, CellScore, ComparedRun, Comparison

__all__ = [
    "CellCost",
    "CellScore",
    "ComparedRun",
    "Comparison",
    "OnData",
    "OnProblem",
    "Problem",
    "adding_problem",
    "compare",
    "copying_problem",
    "delayed_recall",
]
