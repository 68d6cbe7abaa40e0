"""Examples on their way into a batch: checked, stored, padded, put together by length, split into parts."""

from loopcell.data.examples.batches import Batches
from loopcell.data.examples.padding import Padded, pad
from loopcell.data.examples.ragged import Ragged
from loopcell.data.examples.sequences import as_numbers, as_sequence, as_sequences, check_finite
from loopcell.data.examples.splits import (
    Split,
    split_groups,
    split_in_time,
    split_random,
    split_stratified,
    stratified_folds,
)

__all__ = [
    "Batches",
    "Padded",
    "Ragged",
    "Split",
    "as_numbers",
    "as_sequence",
    "as_sequences",
    "check_finite",
    "pad",
    "split_groups",
    "split_in_time",
    "split_random",
    "split_stratified",
    "stratified_folds",
]
