"""Seeing inside: every stage of what becomes of a cell's equations."""

from loopcell.insight.explanation import explain

__all__ = ["explain"]
