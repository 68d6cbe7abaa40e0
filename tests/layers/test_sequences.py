"""Lengths, resets and padding at the boundary; what they mean is tested by the laws."""

from __future__ import annotations

import pytest
import torch

from loopcell import GRU, Recurrent, cells
from loopcell.errors import InputError
from loopcell.layers.sequences import checked_lengths
from loopcell.runtime import Lengths
from tests.paths import ELSEWHERE, path


def lstm(**options):
    return Recurrent(cells.get("lstm"), 3, 4, **options)


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf")])
@pytest.mark.parametrize("backend", ["auto", ELSEWHERE, "reference"])
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("make", [lambda: lstm(num_layers=2, bidirectional=True), lambda: GRU(3, 4)])
def test_padding_may_be_anything(rubbish, backend, twice, make):
    net, lengths = make(), torch.tensor([5, 2, 0])
    clean = torch.randn(5, 3, 3)
    past_the_end = (torch.arange(5).unsqueeze(1) >= lengths).unsqueeze(-1)
    gradients = []
    for padding in (0.0, rubbish):
        x = torch.where(past_the_end, padding, clean).requires_grad_()
        with path(backend):
            y, _ = net(x, lengths=lengths)
            assert not y[past_the_end.expand_as(y)].any()
            found = torch.autograd.grad(y.square().sum(), [x, *net.parameters()], create_graph=twice)
            if twice:
                squares = sum(gradient.square().sum() for gradient in found)
                found = torch.autograd.grad(squares, [x, *net.parameters()])
        gradients.append(found)
    for plain, other in zip(*gradients, strict=True):
        assert torch.equal(plain, other)


# -- lengths -------------------------------------------------------------------------------------------------------


def test_lengths_as_a_list():
    net, x = lstm(bidirectional=True), torch.randn(5, 2, 3)
    expected, _ = net(x, lengths=torch.tensor([4, 2]))
    assert torch.equal(net(x, lengths=[4, 2])[0], expected)
    assert torch.equal(net(x, lengths=torch.tensor([4, 2]).numpy())[0], expected)
    net.batch_first = True
    assert torch.equal(net(x.transpose(0, 1), lengths=[4, 2])[0], expected.transpose(0, 1))
    assert torch.allclose(net(x[:, 0], lengths=[4])[0], expected[:, 0], atol=1e-6)
    assert net(torch.zeros(0, 5, 3), lengths=[])[0].shape == (0, 5, 8)


@pytest.mark.parametrize(
    ("lengths", "came"),
    [
        (["a", "b"], "list"),
        ({"a": 1}, "dict"),
        ([[1], [2, 3]], "list"),
        ([1.5, 2.0], r"torch.float32 \[2\]"),
        (3, r"torch.int64 \[\]"),
    ],
)
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_that_are_none(lengths, came, batch_first):
    with pytest.raises(InputError, match=rf"lengths must be whole numbers \[2\], one a row; got .*{came}"):
        lstm(batch_first=batch_first)(torch.zeros(2, 2, 3), lengths=lengths)


def test_lengths_that_were_not_checked_end_with_the_sequence():
    """On a GPU, and while torch.compile reads, lengths are not looked at; nothing may be read from outside."""
    x = torch.arange(5.0).reshape(5, 1, 1).expand(5, 3, 1)
    backwards = Lengths(5, torch.tensor([9, 3, -2])).reverse(x)
    assert backwards[..., 0].T.tolist() == [[4, 3, 2, 1, 0], [2, 1, 0, 3, 4], [0, 1, 2, 3, 4]]


def test_masks_are_made_once(monkeypatch):
    made = []
    mask = Lengths.mask.fget
    monkeypatch.setattr(Lengths, "mask", property(lambda self: made.append(mask(self)) or made[-1]))
    net = lstm(num_layers=3, bidirectional=True)
    net(torch.zeros(5, 2, 3), lengths=[5, 2], reset=torch.zeros(5, 2, dtype=torch.bool))
    assert len({id(found) for found in made}) == 1  # all alive, so that none has another's address


def test_rows_know_what_is_valid():
    x, lengths = torch.zeros(4, 2, 1), torch.tensor([4, 1])
    reset = torch.ones(4, 2, dtype=torch.bool)
    valid = [[True, True], [True, False], [True, False], [True, False]]
    forwards = checked_lengths(x, lengths, reset)
    for rows in (forwards, forwards.reversed()):
        assert rows.mask.tolist() == valid
    assert checked_lengths(x, None, None).mask is None


def test_rows_in_the_order_in_which_kernels_take_them():
    rows = Lengths(3, torch.tensor([1, 3, 0, 3]))
    assert rows.order.tolist() == [1, 3, 0, 2]  # longest first, equal ones as they came
    assert rows.sorted_lengths.tolist() == [3, 3, 1, 0]
    assert rows.first_rows.tolist() == [0, 3, 5, 7]  # rows 1, 3, 0 run at step 0, then rows 1 and 3
    assert rows.index.tolist() == [1, 3, 0, 5, 7, 9, 11]  # step * 4 + row
    assert Lengths(3, torch.tensor([3, 3])).order is None


def test_resets_past_a_rows_end_are_no_resets():
    rows = Lengths(3, torch.tensor([1, 3])).with_reset(torch.ones(3, 2, dtype=torch.bool))
    assert rows.reset.tolist() == [[True, True], [False, True], [False, True]]
    assert rows.segment(1, 3).lengths.tolist() == [0, 2]
    assert rows.segment(1, 3).reset.tolist() == [[False, True], [False, True]]


# -- resets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"batch_first": True}])
@pytest.mark.parametrize("shape", [(5, 1, 3), (5, 3)])
@pytest.mark.parametrize("reset", [[True] * 5, [[True]] * 5, "yes"])
def test_resets_that_are_none(options, shape, reset):
    sentence = rf"reset must be a bool tensor, true on the first step of an episode; got {type(reset).__name__}"
    with pytest.raises(InputError, match=sentence):
        lstm(**options)(torch.zeros(shape), reset=reset)


@pytest.mark.parametrize("backend", ["auto", ELSEWHERE, "reference"])
@pytest.mark.parametrize("checkpoints", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_lengths_and_resets_may_be_written_to_before_the_gradient(backend, checkpoints, twice):
    """As whoever collects episodes does, with one tensor for all of them."""
    net, x = lstm(num_layers=2, bidirectional=True), torch.randn(6, 3, 3, requires_grad=True)
    if checkpoints:
        net.gradient_checkpointing_enable(2)
    results = []
    for write in (False, True):
        lengths, reset = torch.tensor([6, 6, 6]), torch.zeros(6, 3, dtype=torch.bool)
        reset[2, 1] = reset[4, 0] = True
        with path(backend):
            outputs = [net(x, reset=reset)[0], net(x, lengths=lengths)[0], net(x, lengths=lengths - 1, reset=reset)[0]]
            if write:
                lengths.fill_(1), reset.fill_(True)
            loss = sum(y.square().sum() for y in outputs)
            found = torch.autograd.grad(loss, [x, *net.parameters()], create_graph=twice)
            if twice:
                found = torch.autograd.grad(sum(part.square().sum() for part in found), [x, *net.parameters()])
        results.append(found)
    torch.testing.assert_close(*results)
