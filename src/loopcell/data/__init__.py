"""Text, tables, series, audio and images into sequences; public data sets."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loopcell.data.examples import (
    Batches,
    Ragged,
    Split,
    as_numbers,
    as_sequence,
    as_sequences,
    check_finite,
    split_groups,
    split_in_time,
    split_random,
    split_stratified,
    stratified_folds,
)
from loopcell.data.features import (
    FEATURES,
    Audio,
    Features,
    ImagePixels,
    ImageRows,
    LogMel,
    MelStream,
    Mfcc,
    RawAudio,
    audio_chunks,
    audio_rate,
    features_from_json,
    features_to_json,
    image_size,
    read_audio,
    read_image,
    resample,
)
from loopcell.data.public import (
    Fetched,
    PublicFile,
    PublicSet,
    fetch,
    public_sets,
)
from loopcell.data.readers import (
    KINDS,
    Column,
    Delimited,
    Kind,
    Origin,
    Origins,
    Record,
    Records,
    Skipped,
    kind_of,
    names_sound_or_image,
    open_store,
    pair,
    read,
    store,
    where,
)
from loopcell.data.series import (
    Layout,
    Series,
    Step,
    calendar,
    check_zone,
    read_layout,
    read_stamps,
    read_times,
    regular_step,
    series_from,
    shown,
    wall,
)
from loopcell.data.text import (
    VOCABULARIES,
    BpeVocabulary,
    ByteVocabulary,
    CharVocabulary,
    JamoVocabulary,
    Source,
    Stream,
    TokenFile,
    Vocabulary,
    WordVocabulary,
    byte_blocks,
    read_bytes,
    read_text,
    split_held_out,
    split_sources,
    text_blocks,
    tokenize,
    vocabulary_class,
    vocabulary_from_json,
    write_tokens,
)

if TYPE_CHECKING:
    from loopcell.data.examples import Padded as Padded, pad as pad
    from loopcell.data.features import Standardiser as Standardiser
    from loopcell.data.series import Window as Window, WindowBatch as WindowBatch, Windows as Windows
    from loopcell.data.text import Chunk as Chunk, Lanes as Lanes

# What needs torch is imported when first asked for: reading files does not wait for it.
_WITH_TORCH = {
    "examples": ("Padded", "pad"),
    "features": ("Standardiser",),
    "series": ("Window", "WindowBatch", "Windows"),
    "text": ("Chunk", "Lanes"),
}
_HOME = {name: room for room, names in _WITH_TORCH.items() for name in names}

__all__ = [
    # examples
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
    # features
    "FEATURES",
    "Audio",
    "Features",
    "ImagePixels",
    "ImageRows",
    "LogMel",
    "MelStream",
    "Mfcc",
    "RawAudio",
    "Standardiser",
    "audio_chunks",
    "audio_rate",
    "features_from_json",
    "features_to_json",
    "image_size",
    "read_audio",
    "read_image",
    "resample",
    # public
    "Fetched",
    "PublicFile",
    "PublicSet",
    "fetch",
    "public_sets",
    # readers
    "KINDS",
    "Column",
    "Delimited",
    "Kind",
    "Origin",
    "Origins",
    "Record",
    "Records",
    "Skipped",
    "kind_of",
    "names_sound_or_image",
    "open_store",
    "pair",
    "read",
    "store",
    "where",
    # series
    "Layout",
    "Series",
    "Step",
    "Window",
    "WindowBatch",
    "Windows",
    "calendar",
    "check_zone",
    "read_layout",
    "read_stamps",
    "read_times",
    "regular_step",
    "series_from",
    "shown",
    "wall",
    # text
    "VOCABULARIES",
    "BpeVocabulary",
    "ByteVocabulary",
    "CharVocabulary",
    "Chunk",
    "JamoVocabulary",
    "Lanes",
    "Source",
    "Stream",
    "TokenFile",
    "Vocabulary",
    "WordVocabulary",
    "byte_blocks",
    "read_bytes",
    "read_text",
    "split_held_out",
    "split_sources",
    "text_blocks",
    "tokenize",
    "vocabulary_class",
    "vocabulary_from_json",
    "write_tokens",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"loopcell.data.{_HOME[name]}"), name)
