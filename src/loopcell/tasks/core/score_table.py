"""A model's figures beside those of baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from loopcell.errors import UsageError
from loopcell.tasks.core.verdict import MODEL, Verdict, aligned, number, verdict_of


@dataclass(frozen=True)
class ScoreTable:
    """Figures about some data.

    Attributes:
        data: what they are about, such as "370 sequences".
        rows: the figures by name, for the model (the first row) and for each baseline.
        confusion: [K, K] whole numbers, how often a true label (row) was given as another (column); None where there
            are no classes.
        labels: the K labels of `confusion`.
        noise: by baseline and metric, the standard error of its difference to the model on these data, where that is
            known.
        by_label: of the model, precision, recall, F1 and how often it is there (count), by label; where an example or a
            step may have several labels.
    """

    data: str
    rows: Mapping[str, Mapping[str, float]]
    confusion: Any = None
    labels: tuple[str, ...] = field(default=())
    by_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    noise: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def model(self) -> Mapping[str, float]:
        """The model's figures."""
        return self.rows[MODEL]

    def verdict(self) -> Verdict | None:
        """Say whether the model beats its best baseline by more than chance; None where none has a metric of its."""
        return verdict_of(self.rows, self.noise)

    def lines(self) -> list[str]:
        """Return the table as text: a line for the data, a line of names, a line for the model and each baseline."""
        metrics = list(self.model)
        cells = {name: [number(row.get(metric)) for metric in metrics] for name, row in self.rows.items()}
        return [f"{self.data}:", *aligned(metrics, cells)]

    def _repr_html_(self) -> str:
        """Show the table in a notebook: a row for the model and for each baseline."""
        metrics = list(self.model)
        head = "".join(f"<th>{escape(name)}</th>" for name in ("", *metrics))
        rows = (
            f"<tr><th>{escape(name)}</th>{''.join(f'<td>{number(row.get(metric))}</td>' for metric in metrics)}</tr>"
            for name, row in self.rows.items()
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        return f"<p>{escape(self.data)}</p>{table}"

    def plot(self, ax: Any = None, *, normalize: bool = False) -> Any:
        """Draw the confusion of labels: a row for each true one, a column for each that was given.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `table.plot().figure`.
            normalize: show the share of each row in place of counts.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed (`pip install "loopcell[pictures]"`).
            UsageError: there is no confusion: only classifiers and taggers with one label at a place have one.
        """
        if self.confusion is None:
            raise UsageError(
                "these figures have no confusion to draw: only those of a classifier or tagger with one label at a "
                "place have one"
            )
        from loopcell.tasks.core.confusion_plot import plot_confusion

        return plot_confusion(self.confusion, self.labels, ax, normalize=normalize)

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain JSON values."""
        found: dict[str, Any] = {"data": self.data, "rows": {name: dict(row) for name, row in self.rows.items()}}
        if self.confusion is not None:
            found["confusion"] = {"labels": list(self.labels), "counts": self.confusion.tolist()}
        if self.noise:
            found["noise"] = {name: dict(row) for name, row in self.noise.items()}
        if self.by_label:
            found["by_label"] = {label: dict(figures) for label, figures in self.by_label.items()}
        return found
