"""Runs of language models on files, as the command line makes them."""

from __future__ import annotations

from types import SimpleNamespace

from loopcell.tasks.core.from_files import run as runs
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.models import open_files
from loopcell.tasks.core.settings import checked


def train_language_model(model, files, held_out=(), folder=None):
    """Train a model on texts in a new run folder."""
    spec = FileExamples(files=tuple(files))
    others = FileExamples(files=tuple(held_out)) if held_out else None
    opened = open_files(model.task, checked(model), spec, others)
    return _result(runs.train_on_files(model, *opened, folder))


def resume_language_model(folder, longer=None, *, began=None):
    """Go on with a run."""
    return _result(runs.resume(folder, longer or {}, began=began))


def _result(found):
    model = found.estimator
    return SimpleNamespace(
        run=found.run, model=model, outcome=model.outcome_, score=model.held_out_, notes=tuple(model.notes_)
    )
