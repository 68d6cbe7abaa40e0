"""Convolutions before recurrent layers: what they compute, that padding changes nothing, and when there are some."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from loopcell import SequenceClassifier
from loopcell.errors import FileFormatError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_kind import MODEL
from loopcell.tasks.core.networks.front import StridedFront, chosen_stride

QUICK = {"hidden_size": 8, "epochs": 2, "random_state": 1, "batch_size": 8}


def by_hand(x, weight, bias, gain, shift):
    """A convolution of stride 2 over one row [T, E], layer norm and ReLU, step by step."""
    kernel = weight.shape[2]
    padded = np.pad(x, ((kernel // 2, kernel // 2), (0, 0)))
    rows = []
    for start in range(0, len(x), 2):
        found = np.einsum("oik,ki->o", weight, padded[start : start + kernel]) + bias
        found = (found - found.mean()) / np.sqrt(found.var() + 1e-5)
        rows.append(np.maximum(found * gain + shift, 0))
    return np.stack(rows)


def test_a_block_is_a_convolution_a_norm_and_a_relu():
    torch.manual_seed(0)
    front = StridedFront(2, 2).double()
    x = torch.randn(9, 1, 2, dtype=torch.float64)
    given, lengths = front(x, torch.tensor([9]))
    parts = (front.convolutions[0].weight, front.convolutions[0].bias, front.norms[0].weight, front.norms[0].bias)
    expected = by_hand(x[:, 0].numpy(), *(part.detach().numpy() for part in parts))
    assert lengths.tolist() == [5]
    np.testing.assert_allclose(given[:, 0].detach().numpy(), expected, atol=1e-12)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.sampled_from([2, 4, 8]))
def test_padding_and_neighbours_change_nothing(lengths, stride):
    torch.manual_seed(1)
    front = StridedFront(1, stride).double()
    rows = [torch.randn(length, 1, dtype=torch.float64) for length in lengths]
    together = torch.nn.utils.rnn.pad_sequence(rows)
    found, left = front(together, torch.tensor(lengths))
    assert left.tolist() == [-(-length // stride) for length in lengths]
    for index, row in enumerate(rows):
        alone, _ = front(row[:, None], torch.tensor([len(row)]))
        torch.testing.assert_close(found[: left[index], index], alone[:, 0], atol=1e-12, rtol=0)
        assert not found[left[index] :, index].any()


@pytest.mark.parametrize(
    ("length", "count", "numbers", "stride"),
    [
        *[(128, 50, True, 1), (129, 50, True, 2), (427, 200, True, 4), (1460, 100, True, 16), (10**6, 10, True, 256)],
        *[(427, 2400, True, 1), (427, 200, False, 1)],
    ],
)
def test_auto_leaves_half_of_few_long_sequences_of_numbers_128_steps(length, count, numbers, stride):
    assert chosen_stride("auto", np.full(count, length), numbers=numbers) == stride


def test_what_is_given_holds():
    assert chosen_stride(2, np.array([5]), numbers=False) == 2
    with pytest.raises(UsageError, match=r"it has to be a power of two, such as 2, 4 or 8, not 3"):
        SequenceClassifier(downsample=3).fit(["ab", "cd"], [0, 1])


def shapes(count, length, seed=0):
    """A short rise or a short fall somewhere in noise: only the shape tells."""
    drawn = np.random.default_rng(seed)
    X, y = [], []
    for index in range(count):
        x, at = 0.3 * drawn.standard_normal(length), drawn.integers(10, length - 30)
        ramp = np.linspace(0, 3, 12)
        x[at : at + 12] += ramp if index % 2 else ramp[::-1]
        X.append(x[:, None])
        y.append("rise" if index % 2 else "fall")
    return X, y


def test_a_short_shape_in_a_long_sequence_is_learned_and_the_file_keeps_how(tmp_path):
    X, y = shapes(60, 300)
    model = SequenceClassifier(**QUICK | {"epochs": 40, "learning_rate": 0.01}).fit(X, y)
    assert (model.downsample_, model.pooling_) == (4, "max-mean")
    assert model.score(*shapes(60, 300, seed=1)) > 0.9
    model.save(tmp_path / "m.safetensors")
    loaded = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert loaded.downsample_ == 4
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-12)


def test_what_is_shown_inside_goes_by_the_steps_that_the_layers_read():
    X, y = shapes(12, 203)
    model = SequenceClassifier(**QUICK, downsample=4).fit(X, y)
    shown = model.inspect(X[0])
    assert len(shown.steps) == len(shown.predictions) == len(shown.layers[0].quantities["h"]) == 51
    assert shown.steps[:3] == ["0", "4", "8"]
    assert shown.predictions[-1] == shown.answer
    assert shown.notes == ("convolutions take 4 steps in at once: what is shown at a step is of it and the 3 after",)
    assert len(model.gradient_flow(X[0], y[0]).steps) == 51
    (part,) = model.corpus_states([X[0]])
    assert len(part.tokens) == len(part.texts) == len(part.unknown) == 51


@pytest.mark.parametrize("stride", [3, -4, 2.0, "4", None, 2**40, True])
def test_a_stride_that_is_none_is_refused_in_a_file(stride, tmp_path):
    X, y = shapes(12, 60)
    path = tmp_path / "m.safetensors"
    SequenceClassifier(**QUICK, downsample=2).fit(X, y).save(path)
    content = read_tensor_file(path, MODEL)
    learned = {**content.facts["learned"], "downsample": stride}
    write_tensor_file(path, MODEL, TensorFile(content.tensors, {**content.facts, "learned": learned}))
    with pytest.raises(FileFormatError, match=r"is damaged"):
        SequenceClassifier.load(path)
