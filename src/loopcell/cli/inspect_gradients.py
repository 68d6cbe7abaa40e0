"""`loopcell inspect MODEL --gradients`: how the gradient of a loss flows back through one sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loopcell.cli.inspect_sequence import AskedSequence, load_for
from loopcell.cli.reporting import say_note
from loopcell.errors import DataError, UsageError

TREATMENTS = ("orthogonal", "chrono", "clip")


def demand_gradients(
    sequence: AskedSequence | None, treatment: str | None, window: str | None, table: Path | None
) -> AskedSequence:
    """Return the sequence, before anything is loaded.

    Raises:
        UsageError: there is none, the treatment is unknown, or a flag says nothing here.
    """
    if sequence is None:
        raise UsageError("--gradients looks at one sequence: give --text TEXT, or --data FILE with --row NUMBER")
    if treatment is not None and treatment not in TREATMENTS:
        raise UsageError(f"--treatment is {', '.join(TREATMENTS[:-1])} or {TREATMENTS[-1]}, not {treatment!r}")
    if window is not None:
        raise UsageError("--part says nothing to --gradients: a gradient flows through the whole sequence")
    if table is not None and table.suffix.lower() != ".csv":
        raise UsageError(f"--table names a file that ends in .csv where --gradients are asked for, not {table.name}")
    return sequence


def asked_flow(path: Path, sequence: AskedSequence, treatment: str | None) -> Any:
    """Return the gradient flow of a model on a sequence; errors as the model's `gradient_flow`.

    Args:
        path: the model's file, or the folder of its run.
        sequence: what it reads; of a file that has its target, the loss is the training loss.
        treatment: what is tried beside it.
    """
    model = load_for(path, "gradient_flow")
    target = _target(model, sequence)
    known = {} if target is None else {"y": target}
    return model.gradient_flow(sequence.of(model), **known, treatment=treatment)


def _target(model: Any, sequence: AskedSequence) -> Any:
    """Return what the file says is true of the sequence; None where it says nothing, or the model learns no target."""
    columns = getattr(model, "columns_", None)
    if sequence.data is None or columns is None:
        return None
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.models import files_class

    spec = FileExamples(files=(sequence.data,))
    try:
        loaded = files_class(model.task).open_for(spec, model).load()
    except (DataError, UsageError):
        loaded = ()
    if len(loaded) < 2 or sequence.row > len(loaded[1]) or loaded[1][sequence.row - 1] is None:
        say_note("the file says nothing that is true of the sequence: the loss is the last output")
        return None
    return loaded[1][sequence.row - 1]
