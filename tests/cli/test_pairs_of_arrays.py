"""Two files of arrays, images and labels, in train, eval and predict."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from loopcell import load_model
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 8, "--epochs", 1, "--device", "cpu", "--seed", "1"]


def idx(path, array):
    """Write bytes as MNIST has them: two zeros, 8 for uint8, the number of axes, their lengths, the values."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return path


@pytest.fixture
def files(tmp_path):
    drawn = np.random.default_rng(0)
    labels = drawn.integers(0, 3, 40)
    images = drawn.integers(0, 80, (40, 5, 4)) + 80 * labels[:, None, None]
    return idx(tmp_path / "t10k-images-idx3-ubyte.gz", images), idx(tmp_path / "t10k-labels-idx1-ubyte.gz", labels)


def test_images_and_labels_are_a_pair(loopcell, files, tmp_path):
    run = tmp_path / "run"
    result = loopcell("train", "classify", *files, "--val", files[0], "--val", files[1], *SMALL, "--run", run)
    assert result.exit_code == 0, result.output
    assert load_model(run / "model.safetensors").classes_.tolist() == [0, 1, 2]
    pair = [argument for path in files for argument in ("--train", path)]
    result = loopcell("eval", run, *files, *pair)
    assert result.exit_code == 0, result.output
    assert "40 sequences:" in result.stdout
    result = loopcell("predict", run, files[0])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["row"] for line in lines] == list(range(1, 41))
    assert {line["label"] for line in lines} <= {0, 1, 2}
    assert loopcell("resume", run).exit_code == 0


def test_a_regressor_of_npy(loopcell, tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 6, 2)).astype(np.float32)
    np.save(tmp_path / "X.npy", values)
    np.save(tmp_path / "y.npy", values.mean((1, 2)))
    files = tmp_path / "X.npy", tmp_path / "y.npy"
    result = loopcell("train", "regress", *files, *SMALL, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert loopcell("eval", tmp_path / "run", *files).exit_code == 0


def test_what_is_no_pair_is_one_sentence(loopcell, files, tmp_path):
    images, labels = files
    short = idx(tmp_path / "short.idx.gz", np.zeros(7))
    for given, sentence in (
        ((images, short), f"{images} has 40 rows and {short} has 7: row by row they are pairs"),
        ((images, labels, "--val", images), "a file of sources and one of targets were expected, got 1"),
        ((images,), f"{images} has the columns values: say with --label which one holds the target"),
    ):
        result = loopcell("train", "classify", *given, *SMALL, "--run", tmp_path / "run")
        assert result.exit_code in (1, 2)
        assert result.stderr == f"error: {sentence}\n"
