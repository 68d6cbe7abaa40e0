"""Sound in, sound out: models that answer each sample with a sample, as those of amplifiers and effects do."""

from loopcell.tasks.audio.effect import AudioEffect
from loopcell.tasks.audio.stream import EffectStream
from loopcell.tasks.audio.wav_files import Processed

__all__ = ["AudioEffect", "EffectStream", "Processed"]
