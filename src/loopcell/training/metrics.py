"""The curve of a run as CSV and for TensorBoard."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loopcell.errors import FileWriteError, MissingExtraError
from loopcell.files import atomic_write
from loopcell.training.report import Report
from loopcell.training.run_folder import RunFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# The columns of metrics.csv. Losses are means over predictions; a second run repeats all but the seconds.
COLUMNS = (
    "update",
    "epoch",
    "predictions",
    "train_loss",
    "gradient_norm",
    "learning_rate",
    "validation_loss",
    "seconds",
)
# A row as `_line` writes it: the update, and a number or nothing for each of the others.
_ROW = re.compile(rf"(\d{{1,18}})(,[-+.\deainf]*){{{len(COLUMNS) - 1}}}\n", re.ASCII)
CURVES = ("train_loss", "gradient_norm", "learning_rate", "validation_loss")


class MetricsLog:
    """Observer that writes a row when one is due.

    Args:
        run: the run's folder.
        resumed_at: the update of the checkpoint that the run goes on from; later rows are dropped, for they
            will be written again. None starts a new log. A row that is damaged is left out, with a warning.
    """

    def __init__(self, run: RunFolder, resumed_at: int | None = None) -> None:
        writer = _tensorboard_writer()
        with atomic_write(run.metrics) as temporary:
            rows = [] if resumed_at is None else _rows_until(run.metrics, resumed_at)
            temporary.write_text("".join([_line(COLUMNS), *rows]), encoding="utf-8")
        self._file = run.metrics.open("a", encoding="utf-8", newline="")
        self._board: SummaryWriter = writer(
            str(run.tensorboard), purge_step=None if resumed_at is None else resumed_at + 1
        )

    def __enter__(self) -> Self:
        """Use the log as a context to have it closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both files."""
        self._file.close()
        self._board.close()

    def observe(self, report: Report) -> None:
        """Write the row of an update that has a training loss or a validation loss to tell.

        Raises:
            FileWriteError: the disk is full.
        """
        if report.train_loss is None and report.validation_loss is None:
            return
        try:
            self._write(report)
        except OSError as error:
            raise FileWriteError(f"cannot write the metrics: {error.strerror}") from error

    def _write(self, report: Report) -> None:
        values = [getattr(report, column) for column in COLUMNS]
        self._file.write(_line("" if value is None else value for value in values))
        self._file.flush()
        for curve in CURVES:
            if (value := getattr(report, curve)) is not None:
                self._board.add_scalar(curve, value, report.update)


def _line(values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)  # type: ignore[arg-type]
    return text.getvalue()


def _rows_until(path: Path, update: int) -> list[str]:
    """Return the whole rows up to an update; a row that a kill cut short is among those that are dropped."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line + "\n" for line in text.split("\n")[1:-1]]
    found = [row for row in map(_ROW.fullmatch, lines) if row]
    if damaged := len(lines) - len(found):
        warnings.warn(f"{path} had {damaged} damaged row{'s'[: damaged > 1]}, left out of the curve", stacklevel=2)
    return [row[0] for row in found if int(row[1]) <= update]


def _tensorboard_writer() -> type[SummaryWriter]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError('the curves need TensorBoard: pip install "loopcell[train]"') from error
    return SummaryWriter
