"""Models as C99: source files that take one step at a time, with proof and a report."""

from loopcell.export.c.export import to_c
from loopcell.export.c.form import CForm
from loopcell.export.c.report import CReport

__all__ = ["CForm", "CReport", "to_c"]
