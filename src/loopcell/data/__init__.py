"""Text, tables, series, sounds and images into sequences; public data sets.

These are the names for users. What the library itself needs besides is in the rooms: `readers`, `text`, `features`,
`series`, `examples`, `from_tables`, `public`.
"""

from typing import TYPE_CHECKING

from loopcell.data.examples import (
    Batches,
    Ragged,
    SequenceData,
    Split,
    as_sequences,
    split_groups,
    split_in_time,
    split_random,
    split_stratified,
    stratified_folds,
)
from loopcell.data.features import (
    Audio,
    ImagePixels,
    ImageRows,
    LogMel,
    MelStream,
    Mfcc,
    RawAudio,
    RawStream,
    WaitingSamples,
    audio_chunks,
    read_audio,
)
from loopcell.data.from_tables import TableSequences, sequences_from_table
from loopcell.data.public import Fetched, PublicFile, PublicSet, fetch, public_sets
from loopcell.data.readers import (
    Column,
    Delimited,
    Origin,
    Record,
    Records,
    Units,
    open_store,
    pair,
    read,
    store,
)
from loopcell.data.series import Series, Step, calendar, series_from
from loopcell.data.text import (
    BpeVocabulary,
    ByteVocabulary,
    CharVocabulary,
    JamoVocabulary,
    Vocabulary,
    WordVocabulary,
)
from loopcell.files.when_asked import imported_when_asked

if TYPE_CHECKING:
    from loopcell.data.examples import Padded as Padded, pad as pad
    from loopcell.data.features import Standardiser as Standardiser

# What needs torch is imported when first asked for: reading files does not wait for it.
__getattr__ = imported_when_asked(__name__, {"examples": ("Padded", "pad"), "features": ("Standardiser",)})

__all__ = [
    # files, folders and frames as rows
    "Column",
    "Delimited",
    "Origin",
    "Record",
    "Records",
    "open_store",
    "pair",
    "read",
    "store",
    # rows into sequences, batches and parts
    "TableSequences",
    "Units",
    "sequences_from_table",
    "Batches",
    "Padded",
    "Ragged",
    "SequenceData",
    "Split",
    "as_sequences",
    "pad",
    "split_groups",
    "split_in_time",
    "split_random",
    "split_stratified",
    "stratified_folds",
    # text
    "BpeVocabulary",
    "ByteVocabulary",
    "CharVocabulary",
    "JamoVocabulary",
    "Vocabulary",
    "WordVocabulary",
    # sounds and images
    "Audio",
    "ImagePixels",
    "ImageRows",
    "LogMel",
    "MelStream",
    "Mfcc",
    "RawAudio",
    "RawStream",
    "Standardiser",
    "WaitingSamples",
    "audio_chunks",
    "read_audio",
    # time series
    "Series",
    "Step",
    "calendar",
    "series_from",
    # public data sets
    "Fetched",
    "PublicFile",
    "PublicSet",
    "fetch",
    "public_sets",
]
