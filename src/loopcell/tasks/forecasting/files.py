"""Tables of time series, as a run reads them."""

from __future__ import annotations

from typing import Any, Self

from loopcell.data import Records
from loopcell.data.series.given import demand_target
from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import Columns, FileExamples
from loopcell.tasks.core.from_files.examples import open_records
from loopcell.tasks.core.from_files.opened import OpenedFiles, Tell, untold
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.settings import SeriesSettings, columns_named


class SeriesFiles(OpenedFiles):
    """Tables of which a row is a step; the settings name their columns."""

    def __init__(self, spec: FileExamples, tell: Tell, records: Records) -> None:
        super().__init__(spec, tell)
        self._records = records

    @classmethod
    def open(cls, spec: FileExamples, settings: SeriesSettings, tell: Tell = untold) -> Self:
        """Open tables and find the columns that the settings name."""
        names, spec = columns_named(settings), spec.missing_as(settings)
        records = open_records(spec, tell, names)
        demand_target(settings.target, records, names)
        records.check_columns(names)
        return cls(spec, tell, records)

    @classmethod
    def open_for(cls, spec: FileExamples, model: Any, tell: Tell = untold) -> Self:
        """Open tables for a model, which knows its columns; UsageError when some were named."""
        if spec.columns != Columns(names=spec.names):
            flags = "--input, --label, --by, --time, --window, ..."
            raise UsageError(f"a model of time series knows its columns: leave out what says others ({flags})")
        spec = spec.missing_as(checked(model))
        return cls(spec, tell, open_records(spec, tell, columns_named(checked(model))))

    def load(self) -> tuple[Records]:
        """Return the rows, which an estimator reads itself."""
        return (self._records,)
