"""Seeing inside: every stage of what becomes of a cell's equations."""

from loopcell.insight.explain import explain

__all__ = ["explain"]
