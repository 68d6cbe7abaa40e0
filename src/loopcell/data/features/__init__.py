"""Sounds and images as sequences `[T, I]`, and the scaler that a model keeps.

`audio.py` and `images.py` read files, `mel.py` has the equations of filter banks; `sounds.py` and `pictures.py` are
the features; `kinds.py` is the table of them, and how a model stores them.
"""

from typing import TYPE_CHECKING

from loopcell.data.features.audio import Audio, audio_chunks, audio_rate, read_audio, resample
from loopcell.data.features.images import image_size, read_image
from loopcell.data.features.kinds import FEATURES, Features, features_from_json, features_to_json
from loopcell.data.features.mel import WaitingSamples
from loopcell.data.features.pictures import ImagePixels, ImageRows
from loopcell.data.features.sounds import LogMel, MelStream, Mfcc, RawAudio, RawStream
from loopcell.files.when_asked import imported_when_asked

if TYPE_CHECKING:
    from loopcell.data.features.standardiser import Standardiser as Standardiser

# Reading files does not wait for torch.
__getattr__ = imported_when_asked(__name__, {"standardiser": ("Standardiser",)})

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
    "RawStream",
    "Standardiser",
    "WaitingSamples",
    "audio_chunks",
    "audio_rate",
    "features_from_json",
    "features_to_json",
    "image_size",
    "read_audio",
    "read_image",
    "resample",
]
