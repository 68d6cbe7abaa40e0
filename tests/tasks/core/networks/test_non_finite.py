"""Where a number that is not finite comes from: the sentence against what the test put there."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from loopcell import SequenceClassifier, SequenceTagger, cell, exp, log, sigmoid, sqrt, tanh
from loopcell.errors import InputError, TrainingError
from loopcell.layers import Recurrent
from loopcell.tasks.core.networks.non_finite import cause_in
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, parities, waves

__all__ = ["one_thread"]


@cell
def of_log(x, h, *, W, U, b):
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    g = tanh(log(W.g @ x + U.g @ h + b.g))
    return f * h + (1 - f) * g


@cell
def of_sqrt(x, h, *, W, U, b):
    level = W.g @ x + U.g @ h + b.g
    root = sqrt(level)
    return tanh(root)


@cell
def of_exp(x, h, *, W, U, b):
    a = exp(W.a @ x + b.a)
    return a + 0 * h


def constant(cell, **values):
    """A network of one number in and one out, with these weights and zeros elsewhere."""
    net = Recurrent(cell, 1, 1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.fill_(values.get(name.partition(".")[2].replace(".", "_"), 0.0))
    return net


def test_the_quantity_the_step_and_the_line():
    net = constant(of_log, W_g=1.0)
    x = torch.tensor([[2.0], [3.0], [-1.0], [2.0]]).unsqueeze(1)  # the third step is below zero
    found = cause_in(net, lambda: net(x))
    assert found.certain
    line = re.escape("`g = tanh(log(W.g @ x + U.g @ h + b.g))`")
    assert re.fullmatch(
        rf"`g\[0\]` is nan first at step 3 of 4 in layer 1, row 1 of 1, in line \d+ of test_non_finite\.py: {line}; "
        r"log is nan of a negative number; computed from b\.g\[0\] = 0, max \|W\.g\| = 1, max \|x\| = 1, "
        r"max \|U\.g\| = 0, max \|h\| = 0\.55 \(the step before\); before it the largest \|h\| was 0\.55",
        str(found),
    )


@pytest.mark.parametrize(
    ("equations", "name", "value", "number", "reason"),
    [
        (of_log, "h", "nan", None, None),
        (of_sqrt, "root", "nan", -1.0, "sqrt is nan of a negative number"),
        (of_exp, "a", "inf", 1000.0, "exp is inf of more than 88"),
    ],
)
def test_the_operation_that_does_it(equations, name, value, number, reason):
    net = constant(equations, W_g=1.0, W_a=1.0)
    x = torch.ones(3, 2, 1)
    if number is None:
        assert cause_in(net, lambda: net(x)) is None
        return
    x[1, 1] = number
    found = cause_in(net, lambda: net(x))
    assert str(found).startswith(f"`{name}[0]` is {value} first at step 2 of 3 in layer 1, row 2 of 2")
    assert f"; {reason}; computed from " in str(found)


def test_layers_directions_and_rows_that_have_ended():
    torch.manual_seed(0)
    net = Recurrent(of_sqrt, 1, 2, num_layers=2, bidirectional=True)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.fill_(1.0 if "l0" in name else -1.0)
    x = torch.ones(5, 2, 1)
    x[4, 0] = -1e3  # past the end of the first row: without influence
    found = cause_in(net, lambda: net(x, lengths=torch.tensor([4, 5])))
    assert str(found).startswith("`root[0]` is nan first at step 1 of 5 in layer 2, row 1 of 2")


def test_data_and_weights_that_are_not_finite():
    net = Recurrent(of_exp, 1, 2)
    x = torch.zeros(3, 1, 1)
    x[1] = float("nan")
    assert str(cause_in(net, lambda: net(x))) == "the input of the network is not finite: look at the data"
    with torch.no_grad():
        next(net.parameters()).fill_(float("inf"))
    assert "its weights are damaged (l0.W.a is not finite)" in str(cause_in(net, lambda: net(x)))


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger])
def test_training_names_the_equation_and_leaves_no_model(kind, tmp_path):
    X, y = waves(40) if kind is SequenceClassifier else parities(40)
    model = kind(**{**QUICK, "cell": of_log})
    with pytest.raises(TrainingError) as caught:
        model.fit(X, y, run=tmp_path / "run")
    message = str(caught.value)
    assert re.match(r"at update 1 the loss became nan; `g\[\d+\]` is nan first at step ", message)
    assert "log is nan of a negative number" in message
    assert "learning rate" not in message
    assert "checkpoint" not in message
    left = {path.name for path in (tmp_path / "run").rglob("*.safetensors")}
    assert left == set()


def test_prediction_names_the_equation_and_not_the_weights():
    drawn = np.random.default_rng(0)
    X = [drawn.uniform(1, 2, (5, 1)).astype(np.float32) for _ in range(40)]
    y = [int(x[0, 0] > 1.5) for x in X]
    model = SequenceClassifier(**{**QUICK, "cell": of_exp, "epochs": 1, "learning_rate": 1e-6}).fit(X, y)
    with torch.no_grad():
        model.network_.reader.recurrent.l0.W.a.fill_(1.0)
    with pytest.raises(InputError) as caught:
        model.predict([np.full((3, 1), 1e6, np.float32)])
    assert str(caught.value).startswith(
        "the model gives scores that are not finite: `a[0]` is inf first at step 1 of 3"
    )


def test_a_learning_rate_that_is_too_high_is_still_blamed():
    X, y = waves(30)
    with pytest.raises(TrainingError, match=r"at update \d+ .* became .*; try a lower learning rate"):
        SequenceClassifier(**{**QUICK, "learning_rate": 1e30}, clip=0, epochs=5, weight_decay=1e30).fit(X, y)
