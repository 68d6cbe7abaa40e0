"""Examples on their way into a batch: checked, stored, padded, put together by length, split into parts."""

from typing import TYPE_CHECKING

from loopcell.data.examples.arrays import as_array, as_doubles
from loopcell.data.examples.batches import Batches
from loopcell.data.examples.missing import filled_forward, interpolated, time_since_value
from loopcell.data.examples.ragged import Ragged
from loopcell.data.examples.scale import Moments, Scale, moments_of, scale_of, within_rounding
from loopcell.data.examples.sequence_data import SequenceData, with_beside
from loopcell.data.examples.sequences import as_numbers, as_sequence, as_sequences, check_finite
from loopcell.data.examples.splits import (
    Split,
    split_groups,
    split_in_time,
    split_random,
    split_segments,
    split_stratified,
    stratified_folds,
)
from loopcell.data.examples.tables import column_names, columns_by_name, is_table
from loopcell.files.when_asked import imported_when_asked

if TYPE_CHECKING:
    from loopcell.data.examples.padding import Padded as Padded, pad as pad

# Reading files does not wait for torch.
__getattr__ = imported_when_asked(__name__, {"padding": ("Padded", "pad")})

__all__ = [
    "Batches",
    "Moments",
    "Padded",
    "Ragged",
    "Scale",
    "SequenceData",
    "Split",
    "as_array",
    "as_doubles",
    "as_numbers",
    "as_sequence",
    "as_sequences",
    "check_finite",
    "column_names",
    "columns_by_name",
    "filled_forward",
    "interpolated",
    "is_table",
    "moments_of",
    "pad",
    "scale_of",
    "time_since_value",
    "with_beside",
    "within_rounding",
    "split_groups",
    "split_in_time",
    "split_random",
    "split_stratified",
    "split_segments",
    "stratified_folds",
]
