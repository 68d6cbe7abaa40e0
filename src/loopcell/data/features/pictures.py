"""Features of images: their rows, or their pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import as_array
from loopcell.data.examples.sequences import check_finite
from loopcell.data.features.bounds import check_positive
from loopcell.data.features.images import read_image
from loopcell.data.limits import LARGEST_IMAGE
from loopcell.errors import DataError, UsageError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImageRows:
    """An image read row by row from the top: T is its height, I its width (times 3 in colour).

    Attributes:
        height: pixels; files of another size are scaled, arrays have to have it.
        width: pixels.
        colour: red, green and blue of each pixel, instead of its brightness.
    """

    kind: ClassVar[str] = "image-rows"
    height: int
    width: int
    colour: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes below 1, and images that are too large."""
        check_positive(height=self.height, width=self.width)
        most = LARGEST_IMAGE.most()
        if self.height * self.width > most:
            raise UsageError(f"{self.height:,} x {self.width:,} pixels are more than {most:,}; {LARGEST_IMAGE.cure()}")

    @property
    def input_size(self) -> int:
        """The numbers of a row."""
        return self.width * (3 if self.colour else 1)

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[H, W]`, or `[H, 3 W]` in colour, of a path or an array; bytes become 0 to 1."""
        return _pixels(example, name, (self.height, self.width), self.colour).reshape(self.height, -1)


@dataclass(frozen=True)
class ImagePixels(ImageRows):
    """An image read pixel by pixel, as a book is read: T is height times width, I is 1 (3 in colour)."""

    kind: ClassVar[str] = "image-pixels"

    @property
    def input_size(self) -> int:
        """The numbers of a pixel."""
        return 3 if self.colour else 1

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[H W, 1]`, or `[H W, 3]` in colour, of a path or an array; bytes become 0 to 1."""
        return super().__call__(example, name).reshape(-1, self.input_size)


def _pixels(example: Any, name: str, size: tuple[int, int], colour: bool) -> Floats:
    """Return an image as float32 `[H, W]` or `[H, W, 3]`."""
    if isinstance(example, str | os.PathLike):
        return read_image(example, size=size, colour=colour)
    array = as_array(example, name)
    shape = (*size, 3) if colour else size
    if array.dtype.kind not in "uf" or array.shape != shape:
        raise DataError(
            f"{name} is to be an image {list(shape)} of bytes or floats, got {array.dtype} of {list(array.shape)}"
        )
    if array.dtype.kind == "u":
        return (array / np.float32(np.iinfo(array.dtype).max)).astype(np.float32)
    check_finite(array.reshape(size[0], -1), name)
    return array.astype(np.float32, copy=False)
