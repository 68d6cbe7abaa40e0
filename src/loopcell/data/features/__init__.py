"""Sounds and images as sequences `[T, I]`, and the scaler that a model keeps.

`audio.py` and `images.py` read files, `mel.py` has the equations of filter banks; `sounds.py` and `pictures.py` are
the features; `kinds.py` is the table of them, and how a model stores them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loopcell.data.features.audio import Audio, audio_chunks, audio_rate, read_audio, resample
from loopcell.data.features.images import image_size, read_image
from loopcell.data.features.kinds import FEATURES, Features, features_from_json, features_to_json
from loopcell.data.features.pictures import ImagePixels, ImageRows
from loopcell.data.features.sounds import LogMel, MelStream, Mfcc, RawAudio

if TYPE_CHECKING:
    from loopcell.data.features.standardiser import Standardiser as Standardiser

# Imported when first asked for: reading files does not wait for torch.
WITH_TORCH = ("Standardiser",)

__all__ = [
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
]


def __getattr__(name: str) -> Any:
    if name not in WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("loopcell.data.features.standardiser"), name)
