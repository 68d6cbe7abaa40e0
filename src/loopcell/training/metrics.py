"""The curve of a run as CSV and for TensorBoard, and the looks at its layers."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from loopcell.errors import MissingExtraError
from loopcell.training.report import Report
from loopcell.training.rows import RowFile
from loopcell.training.run_folder import RunFolder
from loopcell.training.watched import LayerLook, Measure

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
    # Runs that loopcell began before 0.1 lack these: new ones stand at the end, so that their rows can be gone on with.
    "clip_rate",
    "saturated_gates",
    "dead_units",
    "gradient_slope",
)
WATCHED_COLUMNS = ("update", "layer", "kind", "name", "back", "value")
CURVES = ("train_loss", "gradient_norm", "learning_rate", "validation_loss", "clip_rate")
_NUMBER, _TEXT = r"[-+.\deainf]*", r"(?:[^,\"\n\0\ufffd]*|\"[^\"\n\0\ufffd]*\")"


class MetricsLog:
    """Observer that writes a row when one is due, and what was found when the layers were looked at.

    Args:
        run: the run's folder.
        resumed_at: the update of the checkpoint that the run goes on from; later rows are dropped, for they
            will be written again. None starts a new log. A row that is damaged is left out, with a warning.
    """

    def __init__(self, run: RunFolder, resumed_at: int | None = None) -> None:
        writer = _tensorboard_writer()
        self._run = run
        self._rows = RowFile(run.metrics, COLUMNS, _NUMBER, resumed_at)
        self._watched: RowFile | None = None
        if resumed_at and run.watched.is_file():
            self._watched = RowFile(run.watched, WATCHED_COLUMNS, _TEXT, resumed_at)
        self._board: SummaryWriter = writer(
            str(run.tensorboard), purge_step=None if resumed_at is None else resumed_at + 1
        )

    def __enter__(self) -> Self:
        """Use the log as a context to have it closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all files."""
        self._rows.close()
        if self._watched is not None:
            self._watched.close()
        self._board.close()

    def observe(self, report: Report) -> None:
        """Write the row of an update that has a training loss or a validation loss to tell, and its looks.

        Raises:
            FileWriteError: the disk is full.
        """
        for look in report.looks:
            self._write_look(look)
        if report.train_loss is not None or report.validation_loss is not None:
            self._write_row(report)

    def _write_row(self, report: Report) -> None:
        now = [look.summary() for look in report.looks if look.update == report.update]
        found = {**dict.fromkeys(("saturated_gates", "dead_units", "gradient_slope")), **(now[-1] if now else {})}
        self._rows.write([[found[column] if column in found else getattr(report, column) for column in COLUMNS]])
        for curve in CURVES:
            if (value := getattr(report, curve)) is not None:
                self._board.add_scalar(curve, value, report.update)

    def _write_look(self, look: LayerLook) -> None:
        if self._watched is None:
            self._watched = RowFile(self._run.watched, WATCHED_COLUMNS, _TEXT, None)
        self._watched.write(
            [[look.update, one.layer, one.kind, one.name, one.back, one.value] for one in look.measures]
        )
        for one in look.measures:
            self._board.add_scalar(_tag(one), one.value, look.update)


def _tag(one: Measure) -> str:
    """Return the name of a curve of TensorBoard, which groups them by what stands before the first slash."""
    layer = one.layer.replace(", ", ".").replace(" ", "_")
    return f"{one.kind}/{layer}/{one.name}" + ("" if one.back is None else f"/{one.back}_back")


def _tensorboard_writer() -> type[SummaryWriter]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError('the curves need TensorBoard: pip install "loopcell[train]"') from error
    return SummaryWriter
