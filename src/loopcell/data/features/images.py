"""Images from PNG and JPEG files, through Pillow."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.limits import LARGEST_IMAGE
from loopcell.data.readers.opening import require_uncompressed
from loopcell.data.readers.reading import one_line, ours
from loopcell.errors import DataError
from loopcell.files.extras import require

Floats = npt.NDArray[np.float32]
MOST_SCANS = 16  # of a JPEG of the largest size, and more of a smaller one: each goes over all of its pixels
START_OF_SCAN = b"\xff\xda"


def read_image(path: str | os.PathLike[str], *, size: tuple[int, int] | None = None, colour: bool = False) -> Floats:
    """Read an image.

    Args:
        path: a PNG or JPEG file. The way up that a camera noted is kept to; transparency is not looked at.
        size: height and width to scale it to; None: its own.
        colour: three channels (red, green, blue) instead of the brightness.

    Returns:
        float32 `[H, W]`, or `[H, W, 3]` with `colour`; 0 is dark, 1 bright.

    Raises:
        DataError: it is no such file, is truncated or damaged, or has more than 2**26 pixels
            (`LOOPCELL_LARGEST_IMAGE`); nothing of such an image is unpacked.
        MissingExtraError: Pillow is not installed.
    """
    place = Path(path)
    require_uncompressed(place, "an image")
    with _opened(place) as image:
        return _scaled(_upright(image), size, colour)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the height and width of an image, without unpacking it; errors as `read_image`."""
    with _opened(Path(path)) as image:
        return image.height, image.width


def _upright(image: Any) -> Any:
    require("PIL.ImageOps", "images", "images need").exif_transpose(image, in_place=True)  # without a copy
    return image


def _scaled(image: Any, size: tuple[int, int] | None, colour: bool) -> Floats:
    if image.mode.startswith("I"):  # 16 bits of brightness, which Pillow would cut off at 255
        values = _divided(image, 65535)
        plain = require("PIL.Image", "images", "images need").fromarray(values)
        grey = np.asarray(_resized(plain, size), np.float32)
        return np.repeat(grey[:, :, None], 3, axis=2) if colour else grey
    return _divided(_resized(image.convert("RGB" if colour else "L"), size), 255)


def _divided(image: Any, largest: int) -> Floats:
    """Scale the pixels from 0 to 1, in place: a large image is not held twice."""
    values = np.array(image, np.float32)
    values /= np.float32(largest)
    return values


def _resized(image: Any, size: tuple[int, int] | None) -> Any:
    if size is None or size == (image.height, image.width):
        return image
    bilinear = require("PIL.Image", "images", "images need").Resampling.BILINEAR
    return image.resize((size[1], size[0]), bilinear)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the image; what Pillow has against it is a DataError."""
    pillow = require("PIL.Image", "images", "images need")
    wrong = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
    most = LARGEST_IMAGE.most()
    if most > (vars(pillow)["MAX_IMAGE_PIXELS"] or most):  # who raises our limit raises Pillow's
        vars(pillow)["MAX_IMAGE_PIXELS"] = most
    with ours(lambda: f"{path} cannot be read as an image"):
        try:
            # No warnings: our own bound is below Pillow's.
            with warnings.catch_warnings(action="ignore"), pillow.open(path, formats=("PNG", "JPEG")) as image:
                _check_size(path, image.height, image.width)
                _check_scans(path, image)
                yield image
        except pillow.DecompressionBombError as error:
            reason = f"has more pixels than the {most:,} that are unpacked; {LARGEST_IMAGE.cure()}"
            raise DataError(f"{path} {reason}") from error
        except pillow.UnidentifiedImageError as error:
            raise DataError(f"{path} is neither PNG nor JPEG") from error
        except wrong as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} cannot be read as an image: {one_line(error)}") from error


def _check_size(path: Path, height: int, width: int) -> None:
    most = LARGEST_IMAGE.most()
    if height * width > most:
        raise DataError(
            f"{path} has {height:,} x {width:,} pixels; at most {most:,} are unpacked; {LARGEST_IMAGE.cure()}"
        )


def _check_scans(path: Path, image: Any) -> None:
    """Refuse a small JPEG file that would take minutes: it may go over all of its pixels thousands of times."""
    if image.format != "JPEG":
        return
    scans = path.read_bytes().count(START_OF_SCAN)
    if scans * image.height * image.width > MOST_SCANS * LARGEST_IMAGE.most():
        raise DataError(
            f"{path} draws its {image.height:,} x {image.width:,} pixels {scans:,} times over: this is no picture; "
            f"{LARGEST_IMAGE.cure()}"
        )
