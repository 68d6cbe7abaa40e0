"""Keras models: files, their configuration, layers."""

from loopcell.importing.keras.reading import from_keras

__all__ = ["from_keras"]
