"""The curve of a run as a table: a row for each evaluation, and for each pass over the data."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from loopcell.training.checkpoint import Count, Finite


class HistoryRow(BaseModel):
    """The place and the losses of a run at the end of a pass, or at an evaluation.

    Attributes:
        epoch: whole passes over the data so far.
        update: updates so far.
        seconds: time spent training so far.
        train_loss: mean loss of the predictions trained on since the row before.
        validation_loss: mean loss on held-out data; None where none was held out.
        learning_rate: of the last update.
        best: whether the held-out loss was the lowest so far.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: Count
    update: Count
    seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    train_loss: Finite
    validation_loss: Finite | None
    learning_rate: Finite
    best: bool


class History(BaseModel):
    """All rows so far, and what was summed up for the next one; a checkpoint holds it.

    Attributes:
        rows: in the order in which they came about.
        loss_sum: summed loss since the last row.
        predictions: how many there were since.
    """

    model_config = ConfigDict(extra="forbid")

    rows: list[HistoryRow] = Field(default_factory=list)
    loss_sum: Finite = 0.0
    predictions: Count = 0

    def add(self, loss_sum: float, predictions: int) -> None:
        """Count the losses of an update."""
        self.loss_sum += loss_sum
        self.predictions += predictions

    def close_row(self, **where: Any) -> dict[str, Any]:
        """Add a row with the losses since the last one, and return it as plain values.

        Args:
            where: the other columns.
        """
        row = HistoryRow(train_loss=self.loss_sum / max(1, self.predictions), **where)
        self.rows.append(row)
        self.loss_sum, self.predictions = 0.0, 0
        return row.model_dump()

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries of plain values, which pandas and polars make a frame of."""
        return [row.model_dump() for row in self.rows]
