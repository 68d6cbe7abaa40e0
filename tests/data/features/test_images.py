"""Images by rows and by pixels, and files that are damaged, absurd or no images."""

from __future__ import annotations

import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from loopcell.data import ImagePixels, ImageRows
from loopcell.data.features import image_size, read_image
from loopcell.errors import DataError, MissingExtraError, UsageError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)


def png_that_says(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.fixture
def write(tmp_path):
    def write(array, name="a.png", **options):
        Image.fromarray(array).save(tmp_path / name, **options)
        return tmp_path / name

    return write


def test_brightness_and_colour(write):
    np.testing.assert_allclose(read_image(write(GREY)), GREY / 255, atol=1e-6)
    np.testing.assert_allclose(read_image(write(COLOUR), colour=True), COLOUR / 255, atol=1e-6)
    assert read_image(write(COLOUR)).shape == (3, 4)
    assert read_image(write(GREY), colour=True).shape == (3, 4, 3)
    assert image_size(write(GREY)) == (3, 4)
    smooth = np.full((64, 64), 100, np.uint8)
    np.testing.assert_allclose(read_image(write(smooth, "a.jpg")), 100 / 255, atol=0.02)


def test_sixteen_bits_are_not_cut_off(write):
    deep = np.array([[0, 1000], [32768, 65535]], np.uint16)
    np.testing.assert_allclose(read_image(write(deep)), deep / 65535, atol=1e-6)
    assert read_image(write(deep), colour=True).shape == (2, 2, 3)


def test_another_size(write):
    flat = np.full((8, 6), 51, np.uint8)
    found = read_image(write(flat), size=(4, 9))
    assert found.shape == (4, 9)
    np.testing.assert_allclose(found, 0.2, atol=1e-6)


def test_the_way_up_that_the_camera_noted(write):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upright = read_image(write(GREY, exif=exif))
    np.testing.assert_allclose(upright, GREY[::-1, ::-1] / 255, atol=1e-6)


def test_rows_and_pixels(write):
    rows, pixels = ImageRows(height=3, width=4), ImagePixels(height=3, width=4)
    assert (rows.input_size, pixels.input_size) == (4, 1)
    for example in (write(GREY), GREY, (GREY / 255).astype(np.float64)):
        np.testing.assert_allclose(rows(example), GREY / 255, atol=1e-6)
        np.testing.assert_allclose(pixels(example), (GREY / 255).reshape(12, 1), atol=1e-6)
        assert rows(example).dtype == pixels(example).dtype == np.float32
    coloured = ImageRows(height=3, width=4, colour=True)
    np.testing.assert_allclose(coloured(COLOUR), (COLOUR / 255).reshape(3, 12), atol=1e-6)
    np.testing.assert_allclose(
        ImagePixels(height=3, width=4, colour=True)(COLOUR), COLOUR.reshape(12, 3) / 255, atol=1e-6
    )
    with pytest.raises(UsageError, match="width is at least 1"):
        ImageRows(height=3, width=0)


@pytest.mark.parametrize("bad", [GREY.T, COLOUR, GREY.astype(np.int64)])
def test_arrays_that_are_no_such_image(bad):
    with pytest.raises(DataError, match=r"^X\[0\] is to be an image \[3, 4\] of bytes or floats, got"):
        ImageRows(height=3, width=4)(bad, "X[0]")
    with pytest.raises(DataError, match=r"^X\[0\] has texts, not numbers$"):
        ImageRows(height=3, width=4)(np.array([["a"]]), "X[0]")
    with pytest.raises(DataError, match=r"X\[0\] has no value \(NaN\) at step 1, value 1 of 4"):
        ImageRows(height=3, width=4)(np.full((3, 4), np.nan), "X[0]")


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (8193, 8193)])
def test_an_absurd_size_is_refused_before_anything_is_unpacked(tmp_path, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_says(width, height))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"bomb\.png has (.* pixels; at most|more pixels than the) 67,108,864 "):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_an_image_that_is_cut_off(write, name, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = write(noise, name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DataError, match=rf"{name} (cannot be read as an image: |is neither PNG nor JPEG)"):
        read_image(path)


def test_what_is_no_image(tmp_path, write):
    (tmp_path / "b.png").write_bytes(b"hello" * 10)
    with pytest.raises(DataError, match=r"b\.png is neither PNG nor JPEG$"):
        read_image(tmp_path / "b.png")
    Image.fromarray(GREY).save(tmp_path / "c.gif")
    with pytest.raises(DataError, match=r"c\.gif is neither PNG nor JPEG$"):
        read_image(tmp_path / "c.gif")
    with pytest.raises(DataError, match="there is no file"):
        read_image(tmp_path / "none.png")


def test_pillow_is_an_extra(write, monkeypatch):
    path = write(GREY)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r'images need Pillow: pip install "loopcell\[images\]"'):
        read_image(path)
