"""Model files of estimators: what is saved comes back, and what is not ours is refused in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from loopcell import LanguageModel, SequenceClassifier, SequenceTagger, cell, load_model, tanh
from loopcell.errors import FileFormatError, InputError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_file import MODEL, building
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, parities, put, waves, words

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def model():
    @cell
    def mine(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h)

    return SequenceClassifier(**{**QUICK, "cell": mine}, epochs=2, pooling="attention", bidirectional=True).fit(
        *words(40)
    )


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def changed(path, change):
    """The file with its facts or tensors changed."""
    content = read_tensor_file(path, MODEL)
    facts, tensors = json.loads(json.dumps(content.facts)), dict(content.tensors)
    change(facts, tensors)
    write_tensor_file(path, MODEL, TensorFile(tensors, facts))
    return path


def test_a_loaded_model_is_the_saved_one(model, path):
    again = load_model(path)
    X, _ = words(20, seed=3)
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert again.get_params()["pooling"] == "attention"
    assert again.get_params()["learning_rate"] == QUICK["learning_rate"]
    assert again.cell.fingerprint == model.cell.fingerprint
    assert again.classes_.tolist() == model.classes_.tolist()
    again.save(path.with_name("again.safetensors"))
    assert path.with_name("again.safetensors").read_bytes() == path.read_bytes()


def test_a_cell_of_the_library_comes_back_by_its_name(tmp_path):
    model = SequenceClassifier(**QUICK | {"cell": "gru", "epochs": 1}).fit(*words(20))
    model.save(tmp_path / "m.safetensors")
    again = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert again.get_params()["cell"] == "gru"
    assert again.get_params()["random_state"] == SequenceClassifier().random_state  # that of training is not kept

    @cell
    def gru(x, h, *, W, U, b):  # the name alone does not make it the library's
        return tanh(W.h @ x + U.h @ h + b.h)

    SequenceClassifier(**QUICK | {"cell": gru, "epochs": 1}).fit(*words(20)).save(tmp_path / "m.safetensors")
    assert SequenceClassifier.load(tmp_path / "m.safetensors").get_params()["cell"].fingerprint == gru.fingerprint


def test_a_loaded_model_can_be_fitted_anew(path):
    again = SequenceClassifier.load(path).fit(*words(20))
    assert len(again.predict(["ab"])) == 1


def test_arrays_keep_their_scale_and_labels_their_kind(tmp_path):
    X, y = waves(40)
    model = SequenceClassifier(**QUICK, epochs=1, class_weight={0: 2.0}).fit([100 * x + 7 for x in X], y)
    model.save(tmp_path / "m.safetensors")
    again = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert np.abs(again.input_.scale.mean).min() > 1
    assert again.predict([100 * x + 7 for x in X]).tolist() == model.predict([100 * x + 7 for x in X]).tolist()
    assert again.classes_.dtype == np.int64
    again.fit(X, y)  # the weights of its classes still name them


def test_a_model_of_another_task_is_refused(path, tmp_path):
    with pytest.raises(FileFormatError, match="holds the model of another task: 'sequence-classifier'"):
        SequenceTagger.load(path)
    with pytest.raises(FileFormatError, match="holds the model of another task"):
        LanguageModel.load(path)
    changed(path, lambda facts, tensors: facts.update(task="time-travel"))
    with pytest.raises(FileFormatError, match="there is no task 'time-travel' in this loopcell"):
        load_model(path)


def drop(name):
    return lambda facts, tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (drop("head.bias"), "it lacks the tensor head.bias"),
        (lambda f, t: t.update(more=torch.zeros(2)), "it has a tensor that does not belong to it: more"),
        (lambda f, t: t.update({"head.bias": torch.zeros(7)}), "the tensor head.bias should be of shape"),
        (lambda f, t: t.update(temperature=t["temperature"].double()), "its weights are of several dtypes"),
        (put("config", "hidden_size", value=-1), "hidden_size: input should be greater than or equal to 1"),
        (put("config", "hidden_size", value=2**20), "should be of shape"),
        (put("config", "pooling", value="__import__"), "pooling: input should be"),
        (put("learned", "pooling", value="sum"), "its pooling is 'sum'"),
        (put("learned", "pooling", value=["max"]), "damaged"),
        (put("config", "class_weight", value={"a": "b"}), "class_weight: class weights are"),
        (put("config", "run_this", value="rm"), "its config has 'run_this', which is none of this task's settings"),
        (put("learned", "classes", "labels", value=["a"]), "its labels are not a list of two or more"),
        (put("learned", "classes", "labels", value=["a", 3]), "its labels are not of one kind"),
        (put("learned", "classes", "labels", value=["a", "a"]), "a label is there twice"),
        (put("learned", "classes", "kind", value="guesses"), "it has no 'guesses'"),
        (put("learned", "input", "kind", value="telepathy"), "its input is of no known kind"),
        (put("learned", "input", value=None), "its input is of no known kind"),
        (put("learned", "input", value={"kind": "tokens", "tokens": ["a", "a"]}), "a token has two ids"),
        (put("learned", "input", value={"kind": "array", "input_size": 2**40}), "its input_size is"),
        (put("learned", "input", value={"kind": "features", "features": {}}), "features are of no known kind"),
        (put("cell", "graph", value={}), "damaged"),
        (put("learned", value=[]), "damaged"),
        (put("config", value=None), "damaged"),
    ],
)
def test_damaged_and_hostile_files_are_refused_in_one_sentence(path, change, complaint):
    with pytest.raises(FileFormatError) as caught:
        SequenceClassifier.load(changed(path, change))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_has_more_built_than_it_has_tensors_for(path, monkeypatch):
    """A thousand layers of a cell with many parameters took 40 seconds, for a file of some kilobytes."""
    made = []
    monkeypatch.setattr(torch.nn.Module, "register_parameter", lambda *given: made.append(given[1]))

    def layers(facts, tensors):
        facts["config"]["num_layers"] = 1000

    with pytest.raises(FileFormatError, match="it says num_layers = 1000, and has the tensors of at most 5"):
        load_model(changed(path, layers))
    assert not made


def test_what_is_built_while_a_file_is_read_is_counted(path):
    content = read_tensor_file(path, MODEL)
    complaint = "its sizes call for more parts than it has tensors for"
    with pytest.raises(FileFormatError, match=complaint), building(path, content):
        torch.nn.Sequential(*(torch.nn.Identity() for _ in range(10_000)))
    torch.nn.Sequential(*(torch.nn.Identity() for _ in range(10_000)))  # outside nothing is counted


def test_a_file_cut_short_is_refused(path):
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FileFormatError, match="is not a loopcell model, or not a whole one"):
        load_model(path)


def test_weights_that_are_no_numbers_give_no_answers(path, tmp_path):
    def spoil(facts, tensors):
        tensors["head.bias"] = torch.full_like(tensors["head.bias"], float("nan"))

    with pytest.raises(InputError, match="the model gives scores that are not finite: its weights are damaged"):
        load_model(changed(path, spoil)).predict(["ab"])


@pytest.mark.parametrize(
    ("value", "complaint"),
    [(float("nan"), "not finite"), (float("inf"), "not finite"), (0.0, "not above 0"), (-1.0, "not above 0")],
)
def test_a_temperature_that_is_none_is_refused(path, value, complaint):
    """A negative one turned every answer round, without a word."""

    def spoil(facts, tensors):
        tensors["temperature"] = torch.full_like(tensors["temperature"], value)

    with pytest.raises(FileFormatError, match=f"is damaged: its temperature is {complaint}"):
        load_model(changed(path, spoil))


def test_nothing_is_saved_or_predicted_before_it_is_fitted(tmp_path):
    for call in (
        lambda: SequenceClassifier().save(tmp_path / "m.safetensors"),
        lambda: SequenceClassifier().predict(["a"]),
        lambda: SequenceTagger().predict_next("a"),
        lambda: SequenceTagger().evaluate(*parities(3)),
    ):
        with pytest.raises(NotFittedError, match="is not fitted yet; call fit first, or load a model"):
            call()
    assert not list(tmp_path.iterdir())
