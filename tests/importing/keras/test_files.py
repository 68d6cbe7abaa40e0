"""Keras' three kinds of file, whole, torn, and hostile."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

from loopcell.errors import FileFormatError, UsageError
from loopcell.importing import from_keras
from loopcell.importing.keras.files import snake_case
from tests.importing.keras.library import keras
from tests.importing.keras.test_layers import L, X, sequential


@pytest.fixture(scope="module")
def model():
    made = sequential(
        L.LSTM(5, return_sequences=True, name="lower"), L.Bidirectional(L.GRU(3), name="upper"), L.Dense(2)
    )
    made.compile("adam", "mse")
    made.fit(X, np.zeros((3, 2), np.float32), verbose=0)
    return made


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    for name in ("model.keras", "model.h5"):
        model.save(folder / name)
    model.save_weights(folder / "model.weights.h5")
    return folder


def test_a_model_in_memory_is_refused(model):
    with pytest.raises(UsageError, match=r"reads a file, not a Sequential: save it first, model.save\('model.keras'\)"):
        from_keras(model)


def changed_zip(path, target, **parts):
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(target, "w") as other:
        for name in whole.namelist():
            key = name.replace(".", "_")
            if parts.get(key, "") is not None:
                other.writestr(name, parts.get(key) or whole.read(name))
        for key, content in parts.items():
            if key.startswith("new_"):
                other.writestr(key, content)
    return target


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_every_kind_of_file_gives_the_same(name, model, saved):
    config = model.to_json() if "weights" in name else None
    imported = from_keras(saved / name, config=config)
    with torch.no_grad():
        expected = model(X).cpu().numpy()
    np.testing.assert_allclose(imported.model(torch.as_tensor(X))[0].detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    assert len(imported.read) == 3 + 6 + 2
    assert "of the optimizer" in imported.left_out[0]


def test_a_configuration_as_get_config_returns_it(model, saved):
    assert list(from_keras(saved / "model.weights.h5", config=model.get_config()).networks) == ["lower", "upper"]


def test_weights_alone_are_no_model(saved):
    with pytest.raises(UsageError, match=r"has weights alone, .* pass config=model.to_json\(\)"):
        from_keras(saved / "model.weights.h5")
    with pytest.raises(UsageError, match="has its own configuration: leave config out"):
        from_keras(saved / "model.keras", config="{}")


def test_weights_of_another_model(model, saved):
    """The two layers have one class and one shape: only the names in the file tell them apart."""
    config = json.loads(model.to_json())
    config["config"]["layers"][1]["config"]["name"] = "other"
    with pytest.raises(FileFormatError, match=r"has the weights of `lower` at layers/lstm, where .* has `other`"):
        from_keras(saved / "model.weights.h5", config=config)


def test_a_layer_that_the_configuration_has_not(model, saved):
    config = json.loads(model.to_json())
    del config["config"]["layers"][-1]
    with pytest.raises(FileFormatError, match="`layers/dense/vars/0`, `layers/dense/vars/1`, which belong to no layer"):
        from_keras(saved / "model.weights.h5", config=config)


@pytest.mark.parametrize(
    ("entry", "value", "sentence"),
    [
        ("surprise", 3, "layer `lower` of .* has `surprise`, of which the importer makes nothing"),
        ("units", 6, r"`kernel` of layer `lower` of .* is \[4, 20\], not \[any, 24\]"),
        ("units", 1e9, "units=1000000000.0 of layer `lower` of .* is not a whole number"),
        ("use_bias", False, "layer `lower` of .* has `layers/lstm/cell/vars/2`, of which the importer makes nothing"),
        ("use_bias", "yes", "use_bias='yes' of layer `lower` of .* is neither true nor false"),
        ("activation", {"class_name": "function", "config": "mine"}, "activation='mine', a function that is none"),
        ("dtype", "int8", "computes in 'int8', which is not read"),
        ("quantization_config", {"bits": 4}, "quantized layers are not read"),
        ("return_state", True, "return_state=True, and returns its state beside its output"),
    ],
)
def test_entries_that_are_off_are_named(entry, value, sentence, model, saved):
    config = json.loads(model.to_json())
    config["config"]["layers"][1]["config"][entry] = value
    with pytest.raises(FileFormatError, match=sentence):
        from_keras(saved / "model.weights.h5", config=config)


def test_keras_2_had_another_hard_sigmoid(model, saved):
    config = json.loads(model.to_json()) | {"keras_version": "2.15.0"}
    config["config"]["layers"][1]["config"]["recurrent_activation"] = "hard_sigmoid"
    with pytest.raises(FileFormatError, match=r"was written by Keras 2.15.0, where that was another function"):
        from_keras(saved / "model.weights.h5", config=config)


def test_archives_with_parts_too_many_or_too_few(saved, tmp_path):
    for parts, sentence in (
        ({"new_code_py": "import os"}, "holds .*`new_code_py`"),
        ({"config_json": None}, "a .keras file holds `config.json`"),
        ({"config_json": "[1"}, "config.json of .* is not JSON"),
        ({"config_json": '{"class_name": "Sequential"}'}, "has no list of layers"),
        ({"model_weights_h5": b"no"}, "is not an HDF5 file, or not a whole one"),
    ):
        with pytest.raises(FileFormatError, match=sentence):
            from_keras(changed_zip(saved / "model.keras", tmp_path / "odd.keras", **parts))


def test_an_archive_that_would_become_much_larger(saved, tmp_path):
    with zipfile.ZipFile(saved / "model.keras") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name, content in parts.items():
            bomb.writestr(name, b"\0" * ((1 << 28) + 1) if name.endswith("h5") else content)
    with pytest.raises(FileFormatError, match="would become 268,435,457 bytes: it is no file of Keras"):
        from_keras(tmp_path / "bomb.keras")


def hostile(saved, tmp_path, change):
    path = tmp_path / "hostile.weights.h5"
    path.write_bytes((saved / "model.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def soft_link(file):
    file["layers/lstm/cell/vars/3"] = h5py.SoftLink("/layers/dense/vars/0")


def external_link(file):
    file["layers/lstm/cell/vars/3"] = h5py.ExternalLink("/etc/passwd", "/")


def external_data(file):
    file.create_dataset("layers/lstm/cell/vars/3", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def never_written(file):
    file.create_dataset("layers/lstm/cell/vars/3", (1 << 20, 1 << 20), "f8", chunks=(1, 1024))


def packed(file):
    file.create_dataset("layers/lstm/cell/vars/3", data=np.zeros(1 << 20), compression="gzip")


def a_circle(file):
    file["layers/lstm/again"] = file["layers"]


def texts_as_weights(file):
    file["layers/lstm/cell/vars/3"] = np.array([b"abc"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (soft_link, "is a link, and no weights of its own"),
        (external_link, "is a link, and no weights of its own"),
        (external_data, "lies in another file, which is not read"),
        (never_written, "is packed or was never written"),
        (packed, "is packed or was never written"),
        (a_circle, "it may lead back to itself"),
        (texts_as_weights, "holds no numbers"),
    ],
)
def test_hostile_weights(change, sentence, model, saved, tmp_path):
    with pytest.raises(FileFormatError, match=sentence):
        from_keras(hostile(saved, tmp_path, change), config=model.to_json())


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_a_torn_file_is_refused(name, model, saved, tmp_path):
    whole = (saved / name).read_bytes()
    config = model.to_json() if "weights" in name else None
    for part in (0.0, 0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(whole[: int(part * len(whole))])
        with pytest.raises((FileFormatError, UsageError)):
            from_keras(tmp_path / name, config=config)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileFormatError, match="there is no file"):
        from_keras(tmp_path / "none.keras")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(FileFormatError, match="has no layers: it is no model"):
        from_keras(tmp_path / "other.h5")


@pytest.mark.parametrize(
    "kind", [L.LSTM, L.SimpleRNN, L.GRU, L.TimeDistributed, L.Bidirectional, L.Conv1D, L.InputLayer]
)
def test_classes_are_called_in_files_as_keras_calls_them(kind):
    from keras.src.utils import naming

    assert snake_case(kind.__name__) == naming.to_snake_case(kind.__name__)


def test_two_layers_of_a_class(tmp_path):
    """The second GRU lies under gru_1; were they mixed up, nothing would tell but the numbers: both have one shape."""
    made = sequential(*[L.GRU(4, return_sequences=True) for _ in range(3)])
    made.save(tmp_path / "model.keras")
    with torch.no_grad():
        expected = made(X).cpu().numpy()
    came = from_keras(tmp_path / "model.keras").model(torch.as_tensor(X))[0]
    np.testing.assert_allclose(came.detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def test_the_archive_of_this_keras_holds_what_the_importer_knows(saved):
    with zipfile.ZipFile(io.BytesIO((saved / "model.keras").read_bytes())) as archive:
        assert json.loads(archive.read("metadata.json"))["keras_version"] == keras.__version__
