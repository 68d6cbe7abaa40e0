"""Captioner: one-to-many, a sentence for an image or for any vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import nn

from loopcell.data import ImageRows
from loopcell.data.features import image_size
from loopcell.data.readers import where
from loopcell.errors import DataError, UsageError
from loopcell.insight import Inspection
from loopcell.tasks.core.estimator import Part
from loopcell.tasks.core.inputs import FeatureInput, Input, VectorInput
from loopcell.tasks.core.model_file import read_learned
from loopcell.tasks.core.model_kind import model_path
from loopcell.tasks.seq2seq.decoder import Decoder
from loopcell.tasks.seq2seq.estimator import WritingEstimator
from loopcell.tasks.seq2seq.settings import CaptionerSettings
from loopcell.tasks.seq2seq.vector_encoder import (
    Convolution,
    GivenEncoder,
    OneToMany,
    Shape,
    VectorEncoder,
    vector_size_of,
)

ONCE = "the decoder is shown: the input is read at once, without steps"
PLACES = "attention is over places of the image: row,column, from 0 at the top left"


class Captioner(CaptionerSettings, WritingEstimator):
    """A text for an image or a vector: what a picture shows, a number in words.

    Its arguments are those of `NetworkSettings`, `TrainingSettings`, `WritingSettings` and `CaptionerSettings`, all of
    them keywords with defaults; `tokens` is about the texts. X are images, as arrays [H, W] or [H, W, 3] of one size or
    as paths of files, or vectors [D]: what another network made of an image. y are texts or lists of tokens.

    Vinyals, Toshev, Bengio, Erhan: Show and Tell, 2015 (arXiv 1411.4555); with attention over the places of an image as
    Xu et al.: Show, Attend and Tell, 2015 (arXiv 1502.03044), the scores as for `Seq2Seq`.

    Attributes:
        network_: the trained network.
        target_: how texts become tokens.
        outcome_: how training ended.
    """

    task: ClassVar[str] = "captioner"
    network_: OneToMany
    vector_size_: int | None  # of an encoder of the user's

    @classmethod
    def load(cls, path: str | PathLike[str], *, encoder: nn.Module | None = None) -> Self:
        """Read what `save` wrote.

        Args:
            path: the file, or the folder of a run.
            encoder: the module that the model was trained with, where it was not the library's; a copy of it gets the
                weights of the file.

        Raises:
            FileFormatError: as for every estimator.
            UsageError: an encoder is missing, or there is one too many.
        """
        own = read_learned(model_path(path), cls.task).get("vector_size") is not None
        if own != (encoder is not None):
            how = "with an encoder of its own: give it, as in Captioner.load(path, encoder=...)"
            raise UsageError(f"{path} was trained {how if own else 'without an encoder of its own: give none'}")
        return cls._loaded(model_path(path), {"encoder": deepcopy(encoder)})

    def inspect(self, x: Any) -> Inspection:
        """Look at what happens inside while the model writes its best answer to an image or a vector.

        Args:
            x: one image or vector, in the form of those that `fit` was given.

        Returns:
            The decoder: an image or a vector is read at once, without steps. Its steps are the tokens that it wrote,
            with their probabilities and, where it looks at the places of an image, with the attention of each to them.

        Raises:
            DataError: the image or vector cannot be used.
        """
        decoder, answers = self._written_part(x)
        places = decoder.attention
        if places is not None and len(places.source) == 1:  # there is nothing to choose from
            decoder = replace(decoder, attention=None)
        notes = (*decoder.notes, ONCE) if decoder.attention is None else (*decoder.notes, ONCE, PLACES)
        return replace(decoder, title=type(self).__name__, answer=answers, notes=notes)

    def _source(self, sequence: npt.NDArray[Any]) -> list[str]:
        return self.network_.reader.place_labels()

    def _learn_inputs(self, X: Part, settings: CaptionerSettings) -> None:
        self.input_ = _input_of(X, settings)
        self.vector_size_ = None
        if settings.encoder is not None:
            if not isinstance(settings.encoder, nn.Module):
                raise UsageError(f"encoder: a torch.nn.Module was expected, got a {type(settings.encoder).__name__}")
            self.vector_size_ = vector_size_of(settings.encoder, _shape_of(self.input_))

    def _copied(self, X: Part) -> None:
        return None  # an image is no text

    def _target_settings(self, settings: CaptionerSettings) -> CaptionerSettings:
        return CaptionerSettings(tokens=settings.tokens, vocabulary_size=settings.vocabulary_size)

    def _network(self, settings: CaptionerSettings) -> OneToMany:
        reader = self._encoder(settings, _shape_of(self.input_))
        decoder = Decoder(self.target_.size, reader.memory_size, reader.vector_size, settings)
        return OneToMany(reader, decoder, settings)

    def _encoder(self, settings: CaptionerSettings, shape: Shape) -> VectorEncoder:
        first = self.input_.first_layer(settings)
        if self.vector_size_ is not None:
            return GivenEncoder(first, shape, settings.encoder, self.vector_size_)
        if shape.height:
            attends = settings.attention != "none"
            return Convolution(first, shape, settings.channels, 2 * settings.hidden_size, attends=attends)
        return VectorEncoder(first, shape)

    def _learned(self) -> dict[str, Any]:
        return {**super()._learned(), "vector_size": self.vector_size_}

    def _restore(self, learned: Mapping[str, Any]) -> None:
        super()._restore(learned)
        self.vector_size_ = learned["vector_size"]
        _shape_of(self.input_)


def _input_of(X: Sequence[Any], settings: CaptionerSettings) -> Input:
    """Return the kind of input that the first example is of: an image in a file, an image, a vector."""
    if settings.features is not None:
        return FeatureInput.learn(X, settings)
    first = X[0]
    if isinstance(first, str | PathLike):
        return FeatureInput(ImageRows(*image_size(first)))
    shape = np.shape(first)
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
        return FeatureInput(ImageRows(shape[0], shape[1], colour=len(shape) == 3))
    if len(shape) == 1:
        return VectorInput.learn(X, settings)
    raise DataError(f"{where(X, 0)}: an image [H, W] or [H, W, 3], a path or a vector was expected, not {list(shape)}")


def _shape_of(found: Input) -> Shape:
    if isinstance(found, VectorInput):
        return Shape(0, found.input_size)
    if (
        isinstance(found, FeatureInput)
        and isinstance(found.features, ImageRows)
        and found.features.kind == "image-rows"
    ):
        rows = found.features
        return Shape(rows.height, rows.width, 3 if rows.colour else 1)
    raise UsageError("features: a captioner reads images as ImageRows")
