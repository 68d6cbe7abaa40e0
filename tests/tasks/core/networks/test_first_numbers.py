"""The first number that is not finite, in training and on the way back, against a computation by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

import loopcell
from loopcell import cell, sqrt
from loopcell.errors import TrainingError
from loopcell.layers import Recurrent
from loopcell.tasks.core.networks.clues import clue_to_gradient, clue_to_loss
from loopcell.tasks.core.networks.first_gradients import first_gradient
from loopcell.tasks.core.networks.non_finite import cause_in
from loopcell.training.run_folder import RunFolder
from loopcell.training.step import StepResult, TrainingStep
from tests.tasks.conftest import one_thread
from tests.training.toy import config, make_trainer

__all__ = ["one_thread"]


@cell
def linear(x, h, *, W, U):
    h = W.h @ x + U.h @ h
    return h  # noqa: RET504 - the name is what is looked for


@cell
def root_of(x, h, *, W, U):
    level = W.g @ x
    root = sqrt(level)
    return root + U.h @ h


class OfSequences(TrainingStep):
    """The squares of the output; a chunk is x [T, B, I]."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, chunk, state):
        y, state = self.net(chunk, state)
        return StepResult(y.square().sum(), y.numel(), state)

    def initial_state(self, batch_size):
        return self.net.initial_state(batch_size)

    def cause(self, chunk, state):
        return clue_to_loss(self, chunk, state)

    def cause_of_gradient(self, chunk, state):
        return clue_to_gradient(self, chunk, state)


class Stream:
    """Chunks [T, B, I] of a stream [N * T, B, I]."""

    def __init__(self, x, steps):
        self.parts, self.batch_size = x.split(steps), x.shape[1]

    def __len__(self):
        return len(self.parts)

    def begin_epoch(self, epoch):
        """Every epoch reads the same stream."""

    def chunk(self, index):
        return self.parts[index]


def trained(tmp_path, net, x, steps, rate):
    """Train until it fails; the message, and the module with the weights of before that update."""
    settings = config(
        optimization={"learning_rate": rate},
        length={"epochs": 20},
        hardware={"device": "cpu", "precision": "32-true"},
        batch_size=x.shape[1],
        truncation={"k1": steps},
    )
    trainer = make_trainer(tmp_path / "run", settings, step=OfSequences(net), chunks=Stream(x, steps))
    with pytest.raises(TrainingError) as caught:
        trainer.fit()
    return str(caught.value)


def by_hand(net, x):
    """Run a relu RNN, all layers at each step: the first number that is not finite, and the largest before."""
    layers = [
        {name: value.detach().numpy() for name, value in net.weights(layer, 0).items()}
        for layer in range(net.num_layers)
    ]
    h = [np.zeros((x.shape[1], net.hidden_size), np.float32) for _ in layers]
    largest = [0.0 for _ in layers]
    for step, given in enumerate(x.numpy()):
        for layer, w in enumerate(layers):
            below = h[layer - 1] if layer else given
            with np.errstate(over="ignore", invalid="ignore"):
                h[layer] = np.maximum(below @ w["W.h"].T + h[layer] @ w["U.h"].T + w["b.h"], 0)
            bad = np.argwhere(~np.isfinite(h[layer]))
            if len(bad):
                row, unit = bad[0]
                return step + 1, layer + 1, row + 1, unit, h[layer][row, unit], largest[layer]
            largest[layer] = max(largest[layer], float(np.abs(h[layer]).max()))
    raise AssertionError("all is finite")


def test_a_training_that_diverges_names_step_layer_row_unit_and_what_was_before(tmp_path):
    torch.manual_seed(0)
    net = Recurrent("rnn_relu", 3, 8, num_layers=2)
    x = torch.rand(12, 5, 3)
    message = trained(tmp_path, net, x, 12, 1e6)
    step, layer, row, unit, value, largest = by_hand(net, x)  # the update that failed has left the weights
    assert step > 1
    assert re.match(r"at update \d+ the loss became (nan|inf); ", message)
    assert f"; `h[{unit}]` is {value} first at step {step} of 12 in layer {layer}, row {row} of 5, in line " in message
    assert "h = relu(W.h @ x + U.h @ h + b.h)" in message
    assert f"max |U.h| = {float(net.weights(layer - 1, 0)['U.h'].detach().abs().max()):.3g}" in message
    assert float(re.search(r"before it the largest \|h\| was ([^;]+);", message)[1]) == pytest.approx(largest, rel=1e-2)
    assert message.endswith("; try a lower learning rate or stronger clipping; the last checkpoint stays")
    kept = RunFolder(tmp_path / "run")
    assert kept.read_json(kept.failure)["message"] == message


def test_what_a_layer_above_read():
    net = Recurrent(linear, 1, 1, num_layers=2)
    with torch.no_grad():
        for layer, value in ((net.l0, 1e20), (net.l1, 1e20)):
            layer.W.h.fill_(value)
            layer.U.h.fill_(0.0)
    found = cause_in(net, lambda: net(torch.tensor([0.5, 2.0]).reshape(2, 1, 1)))
    assert str(found).startswith("`h[0]` is inf first at step 1 of 2 in layer 2, row 1 of 1, in line ")
    assert "max |W.h| = 1e+20, max |x| = 5e+19, max |U.h| = 0, max |h| = 0 (the step before)" in str(found)


def test_the_state_that_was_carried_counts():
    net = Recurrent(linear, 1, 1)
    with torch.no_grad():
        net.l0.W.h.fill_(1.0)
        net.l0.U.h.fill_(1e6)
    x = torch.zeros(12, 1, 1)
    x[0] = 1e-9
    # h after step t is 1e-9 * 1e6^(t - 1): 1e33 after the 8th, not finite after the 9th, the 3rd of its chunk.
    step = OfSequences(net)
    state = step(x[:6], net.initial_state(1)).state
    clue = clue_to_loss(step, x[6:], state)
    assert clue.sentence.startswith("`h[0]` is inf first at step 3 of 6 in layer 1, row 1 of 1")
    assert "max |h| = 1e+33 (the step before)" in clue.sentence
    assert clue_to_loss(step, x[6:], net.initial_state(1)) is None


def test_torchs_classes_and_batch_first_and_both_directions():
    net = loopcell.RNN(1, 2, nonlinearity="relu", batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.zero_()
            if name == "weight_hh_l0_reverse":
                parameter.copy_(1e6 * torch.eye(2))
    h = torch.zeros(2, 3, 2)
    h[1, 1, 1] = 1e30  # of the backward direction, which reads step 5 of its second row first: 1e36 there, then 1e42
    found = cause_in(nn.Sequential(net), lambda: net(torch.zeros(3, 5, 1), h))
    assert str(found).startswith("`h[1]` is inf first at step 4 of 5 in layer 1, backward, row 2 of 3, in line ")
    assert "max |h| = 1e+36 (the step before); before it the largest |h| was 1e+36" in str(found)


def test_a_loss_that_overflows_by_itself():
    step = OfSequences(Recurrent(linear, 1, 1))
    with torch.no_grad():
        step.net.l0.W.h.fill_(1e30)
    clue = clue_to_loss(step, torch.ones(1, 1, 1), step.initial_state(1))
    assert clue.sentence == "every number of the network is finite: look at the loss function and the targets"


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_gradient_that_explodes_on_its_way_back(batch_first):
    net = Recurrent(linear, 1, 2, batch_first=batch_first)
    with torch.no_grad():
        net.l0.W.h.copy_(torch.tensor([[0.0], [1.0]]))
        net.l0.U.h.copy_(torch.tensor([[1e10, 0.0], [0.0, 0.5]]))
    # dL/dh_t of unit 0 is 1e10^(9 - t): 1e30 at step 6, too large for fp32 at step 5. The unit itself stays 0.
    x = torch.ones(3, 9, 1) if batch_first else torch.ones(9, 3, 1)

    def loss():
        y, _ = net(x)
        return (y[:, -1] if batch_first else y[-1]).sum()

    found = first_gradient(net, loss)
    assert str(found) == (
        "the gradient of `h[0]` is inf first, from the last step back, at step 5 of 9 in layer 1, row 1 of 3, where "
        "`h[0]` is 0; at the steps after it the largest |dL/dh| was 1e+30"
    )
    assert not found.certain
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_derivative_that_is_not_finite_is_certain(tmp_path):
    net = Recurrent(root_of, 1, 1)
    with torch.no_grad():
        net.l0.W.g.fill_(1.0)
        net.l0.U.h.fill_(0.5)
    x = torch.ones(6, 2, 1)
    x[2, 1] = 0.0
    message = trained(tmp_path, net, x, 6, 1e-3)
    assert message.startswith(
        "at update 1 the gradient's norm became nan; the gradient of `level[0]` is inf first, from the last step back, "
        "at step 3 of 6 in layer 1, row 2 of 2, where `level[0]` is 0; the derivative of sqrt at 0 is inf"
    )
    assert "learning rate" not in message


def test_a_gradient_that_is_not_finite_when_it_arrives():
    net = Recurrent(linear, 1, 1)
    found = first_gradient(net, lambda: net(torch.zeros(3, 1, 1))[0].sum().sqrt())
    assert str(found) == (
        "the gradient that arrives at the output of the recurrent layers is not finite: look at what follows them"
    )


def test_a_gradient_that_is_finite():
    net = Recurrent("lstm", 2, 3, num_layers=2, bidirectional=True)

    def loss():
        y, _ = net(torch.ones(4, 2, 2), lengths=torch.tensor([2, 4]))
        return y.sum()

    assert first_gradient(net, loss) is None
