"""The command line in this process, and a small trained run."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from loopcell.cli import app
from tests.comparison.rounds import one_round
from tests.training.conftest import file_size_limit
from tests.training.threads import one_thread

__all__ = ["file_size_limit", "loopcell", "one_round", "one_thread", "run", "text"]

TEXT = "the cat sat on the mat. the dog ate the cat.\n" * 60
SMALL = ["--hidden", "12", "--layers", "1", "--batch-size", "4", "--chunk", "16", "--device", "cpu", "--seed", "1"]


@pytest.fixture
def loopcell():
    """A function that runs a command and gives its result: exit_code, stdout, stderr."""

    def call(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "cats.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def run(text, tmp_path_factory):
    """The folder of a run of 60 updates; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "cats"
    arguments = ["train", "lm", str(text), *SMALL, "--max-steps", "60", "--lr", "0.01", "--run", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return folder
