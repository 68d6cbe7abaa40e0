from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from loopcell import Captioner, cell, load_model, tanh
from loopcell.data import ImageRows, LogMel
from loopcell.errors import DataError, FileFormatError, InputError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_file import MODEL
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

SMALL = {**QUICK, "hidden_size": 24, "channels": 4, "beam": 2, "patience": None, "batch_size": 8, "learning_rate": 5e-3}


def bars(count=150, seed=0):
    """Images [12, 20] of noise with a bright bar in some of four places, and the places in words."""
    drawn = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        image = drawn.random((12, 20)).astype(np.float32) * 0.3
        places = np.flatnonzero(drawn.random(4) < 0.5)
        for place in places:
            image[:, 5 * place + 1 : 5 * place + 3] += 0.7
        X.append(image)
        y.append(" ".join("abcd"[place] for place in places))
    return X, y


def vectors(count=200, seed=0):
    """Vectors [3], and a letter for the largest of the numbers, as often as its place."""
    drawn = np.random.default_rng(seed)
    X = drawn.standard_normal((count, 3)) * 50 + 100
    return X, ["xyz"[place] * (place + 1) for place in X.argmax(1)]


@pytest.fixture(scope="module")
def model():
    return Captioner(**SMALL, epochs=15).fit(*bars(200))


def right(model, X, y):
    return sum(a == b for a, b in zip(model.predict(X), y, strict=True)) / len(y)


def test_an_image_becomes_a_sentence(model):
    X, y = bars(60, seed=3)
    assert right(model, X, y) > 0.85
    table = model.evaluate(X, y, training=bars())
    assert list(table.rows) == ["model", "most frequent"]
    assert table.model["exact match"] == right(model, X, y)


def test_a_vector_becomes_a_word_whatever_its_scale(tmp_path):
    model = Captioner(**{**SMALL, "learning_rate": 2e-2}, epochs=15).fit(*vectors())
    X, y = vectors(80, seed=2)
    assert right(model, X, y) > 0.85
    model.save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").predict(X) == model.predict(X)


@pytest.mark.parametrize("settings", [{"attention": "general"}, {"cell": "lstm", "num_layers": 2, "dropout": 0.1}])
def test_variants_learn_and_come_back_from_a_file(settings, tmp_path):
    X, y = bars(80)
    first, model = (Captioner(**{**SMALL, **settings}, epochs=epochs).fit(X, y) for epochs in (1, 8))
    assert model.outcome_.position.best_loss < 0.8 * first.outcome_.position.best_loss
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.predict(X) == model.predict(X)
    assert again.candidates(X[:3]) == model.candidates(X[:3])


def test_what_stands_beside_an_image_does_not_change_its_sentence(model):
    X, _ = bars(20, seed=4)
    assert model.predict(X) == [model.predict([x])[0] for x in X]


def test_a_cell_of_ones_own_and_bytes_in_colour():
    @cell
    def mine(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h)

    drawn = np.random.default_rng(0)
    levels = drawn.integers(0, 3, 90)
    X = [drawn.integers(0, 60, (8, 10, 3)).astype(np.uint8) for _ in levels]
    for image, level in zip(X, levels, strict=True):
        image[..., level] += 150
    y = [["red", "green", "blue"][level] for level in levels]
    first, model = (Captioner(**{**SMALL, "cell": mine}, epochs=epochs).fit(X, y) for epochs in (1, 25))
    assert model.outcome_.position.best_loss < 0.8 * first.outcome_.position.best_loss
    assert right(model, X, y) > 0.5  # a third by chance


def test_the_channels_of_a_colour_reach_the_convolution_where_they_stand():
    from loopcell.tasks.core.inputs.numbers import Numbers
    from loopcell.tasks.seq2seq.vector_encoder import Shape, VectorEncoder

    image = np.random.default_rng(0).random((2, 3, 3)).astype(np.float32)
    rows = torch.from_numpy(ImageRows(2, 3, colour=True)(image)).unsqueeze(1)
    found = VectorEncoder(Numbers(9), Shape(2, 3, 3)).examples(rows)
    assert found.shape == (1, 3, 2, 3)
    assert torch.equal(found[0], torch.from_numpy(image).permute(2, 0, 1))


def test_paths_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    X, y = bars(40)
    paths = []
    for at, pixels in enumerate(X):
        paths.append(tmp_path / f"{at}.png")
        image.fromarray((pixels * 255).astype(np.uint8)).save(paths[-1])
    model = Captioner(**SMALL, epochs=3).fit(paths, y)
    assert model.input_.features == ImageRows(12, 20)
    bytes_given = model.predict([(pixels * 255).astype(np.uint8) for pixels in X])
    assert model.predict(paths) == model.predict([str(path) for path in paths]) == bytes_given


# --- an encoder of the user's -----------------------------------------------------------------------------------------


def encoder():
    torch.manual_seed(4)
    return nn.Sequential(nn.Flatten(), nn.Linear(240, 16), nn.Tanh())


def test_any_module_that_gives_a_vector_may_stand_in_front(tmp_path):
    X, y = bars(150)
    given = encoder()
    before = {name: tensor.clone() for name, tensor in given.state_dict().items()}
    model = Captioner(**SMALL, epochs=15, encoder=given).fit(X, y)
    assert right(model, X, y) > 0.6
    trained = model.network_.reader.encoder.state_dict()
    assert not torch.equal(trained["1.weight"], before["1.weight"])
    path = tmp_path / "m.safetensors"
    model.save(path)
    fresh = encoder()
    again = Captioner.load(path, encoder=fresh)
    assert again.predict(X) == model.predict(X)
    assert torch.equal(fresh.state_dict()["1.weight"], before["1.weight"])
    with pytest.raises(UsageError, match=r"with an encoder of its own: give it, as in Captioner\.load"):
        load_model(path)
    with pytest.raises(FileFormatError, match=r"it lacks the tensor|should be of shape"):
        Captioner.load(path, encoder=nn.Sequential(nn.Flatten(), nn.Linear(240, 16), nn.Linear(16, 16)))


def test_a_frozen_encoder_stays_as_it_is():
    given = encoder().requires_grad_(False)
    before = given[1].weight.clone()
    model = Captioner(**SMALL, epochs=2, encoder=given).fit(*bars(40))
    assert torch.equal(model.network_.reader.encoder[1].weight, before)


def test_an_encoder_that_does_not_fit_is_named(model, tmp_path):
    with pytest.raises(InputError, match=r"the encoder has to make vectors \[2, V\] of examples \[2, 1, 12, 20\]; it"):
        Captioner(**SMALL, epochs=1, encoder=nn.Conv2d(1, 3, 3)).fit(*bars(10))
    with pytest.raises(UsageError, match=r"encoder: a torch\.nn\.Module was expected, got a str"):
        Captioner(**SMALL, epochs=1, encoder="resnet").fit(*bars(10))
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(UsageError, match="was trained without an encoder of its own: give none"):
        Captioner.load(tmp_path / "m.safetensors", encoder=encoder())


# --- what does not fit ------------------------------------------------------------------------------------------------

IMAGE = np.zeros((4, 5), dtype=np.float32)


@pytest.mark.parametrize(
    ("X", "complaint"),
    [
        ([IMAGE, np.zeros((4, 6), dtype=np.float32)], r"X\[1\] is to be an image \[4, 5\] of bytes or floats, got"),
        ([IMAGE, IMAGE * float("nan")], r"X\[1\]"),
        ([np.zeros(3), np.zeros(4)], r"X\[1\]: a vector of 3 numbers was expected, as the first example is, not \[4\]"),
        ([np.zeros(3), None], r"X\[1\]: a vector of 3 numbers was expected"),
        ([np.zeros((2, 2, 2, 2))] * 2, r"X\[0\]: an image \[H, W\] or \[H, W, 3\], a path or a vector was expected"),
        ([np.array([1.0, float("inf")])] * 2, r"X\[0\]"),
    ],
)
def test_bad_examples_are_named(X, complaint):
    with pytest.raises(DataError, match=complaint):
        Captioner(**SMALL, epochs=1, validation_fraction=0.0).fit(X, ["a", "b"])


def test_settings_that_do_not_fit():
    with pytest.raises(UsageError, match="attention: dot needs vectors of 24 numbers to look at, got 8"):
        Captioner(**SMALL, epochs=1, attention="dot").fit(*bars(10))
    with pytest.raises(UsageError, match="features: a captioner reads images as ImageRows"):
        Captioner(**SMALL, epochs=1, features=LogMel(8000)).fit([np.zeros(4000, dtype=np.float32)] * 4, list("abcd"))


@pytest.mark.parametrize(
    "change", [lambda f: f["learned"].update(input={"kind": "array", "input_size": 4}), lambda f: f.update(learned=3)]
)
def test_damaged_files_are_refused(model, tmp_path, change):
    path = tmp_path / "m.safetensors"
    model.save(path)
    content = read_tensor_file(path, MODEL)
    facts = dict(content.facts)
    change(facts)
    write_tensor_file(path, MODEL, TensorFile(dict(content.tensors), facts))
    with pytest.raises(FileFormatError, match="is damaged"):
        load_model(path)
