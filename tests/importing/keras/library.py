"""Keras on PyTorch, with its settings in a folder that is nobody's."""

import os
import tempfile

os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="keras-"))

import keras

__all__ = ["keras"]
