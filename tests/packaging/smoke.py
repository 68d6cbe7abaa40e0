"""What an installed loopcell has to do, outside the tree: run by test_built_files.py in an environment of its own.

    python smoke.py FOLDER

FOLDER is where the package has to lie; the working folder is not the source tree.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from importlib import metadata, resources
from pathlib import Path

import torch

import loopcell
from loopcell import LSTM, Recurrent, SequenceClassifier, WordVectors, backend, cell, load_model, tanh
from loopcell.data import fetch
from loopcell.errors import UsageError


@cell
def elman(x, h, *, W, U, b):
    return tanh(W.h @ x + U.h @ h + b.h)


def every_module_is_there(folder: Path) -> None:
    """Import all modules: one that the build left out, or that needs the tree, fails here."""
    assert Path(loopcell.__file__).is_relative_to(folder), loopcell.__file__
    for found in pkgutil.walk_packages(loopcell.__path__, "loopcell."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    assert metadata.version("loopcell") == loopcell.__version__


def every_data_file_is_there() -> None:
    assert (resources.files("loopcell") / "py.typed").is_file()
    headers = resources.files("loopcell.backends.c.codegen") / "headers"
    assert {"vectors.h", "functions.h", "products.h"} <= {file.name for file in headers.iterdir()}
    said = ""
    try:
        fetch("a set that is not there")
    except UsageError as error:
        said = str(error)
    assert "mnist" in said  # the table of public data was read


def a_kernel_is_built_and_computes_what_torch_does() -> None:
    """An LSTM and a cell of one's own, forward and backward, through C that is built from the installed headers."""
    torch.manual_seed(0)
    x = torch.randn(7, 3, 4)
    ours = LSTM(4, 5)
    theirs = torch.nn.LSTM(4, 5)
    theirs.load_state_dict(ours.state_dict())
    assert ours.plan()[0].backend != "reference", ours.plan()[0]
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])
    net = Recurrent(elman, input_size=4, hidden_size=5)
    net(x)[0].sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def an_estimator_learns_saves_and_loads(folder: Path) -> None:
    X, y = ["ab" * n for n in range(1, 41)] + ["cd" * n for n in range(1, 41)], ["left"] * 40 + ["right"] * 40
    settings = {"hidden_size": 8, "embedding_size": 4, "epochs": 8, "batch_size": 8, "learning_rate": 2e-2}
    model = SequenceClassifier(cell="gru", **settings, device="cpu", random_state=1).fit(X, y)
    assert model.score(X, y) > 0.9
    model.save(folder / "model.safetensors")
    assert (load_model(folder / "model.safetensors").predict(X) == model.predict(X)).all()


def word_vectors_are_learned_by_their_own_kernel() -> None:
    words = [["one", "two", "three", "four"] * 5] * 20
    assert WordVectors(vector_size=4, min_count=1, epochs=1, random_state=1).fit(words).most_similar("one")


def main() -> None:
    """Run all of it; an assertion is a failure."""
    every_module_is_there(Path(sys.argv[1]))
    every_data_file_is_there()
    a_kernel_is_built_and_computes_what_torch_does()
    with backend("reference"):
        an_estimator_learns_saves_and_loads(Path.cwd())
    word_vectors_are_learned_by_their_own_kernel()
    sys.stdout.write("the installed package works\n")


if __name__ == "__main__":
    main()
