"""The gradient flow inside of a model, from its own loss; and what clipping does to it."""

import numpy as np
import pytest
import torch
from torch import nn

import loopcell
from loopcell.errors import InputError
from loopcell.insight import Finding, gradient_flow, gradient_flow_inside
from loopcell.insight.flow_findings import finding
from loopcell.insight.treatments import treat_


class Reader(nn.Module):
    """Layers and a head; the loss is on the head's last output."""

    def __init__(self, batch_first=False):
        super().__init__()
        self.first, self.layers = nn.Linear(2, 3), loopcell.GRU(3, 5, num_layers=2, batch_first=batch_first)
        self.head, self.dropout = nn.Linear(5, 2), nn.Dropout(0.5)

    def forward(self, x):
        outputs, _ = self.layers(self.first(x))
        last = outputs[:, -1] if self.layers.batch_first else outputs[-1]
        return self.head(self.dropout(last)).square().sum()


@pytest.mark.parametrize("batch_first", [False, True])
def test_it_is_the_flow_of_the_layers_alone_with_the_rest_as_the_loss(batch_first):
    torch.manual_seed(0)
    model = Reader(batch_first)
    x = torch.randn(4, 9, 2) if batch_first else torch.randn(9, 4, 2)
    found = gradient_flow_inside(model, lambda net: net(x), "training loss", place="layers")
    with torch.no_grad():
        given = model.first(x)
    pick = (lambda y: y[:, -1]) if batch_first else (lambda y: y[-1])
    alone = gradient_flow(model.layers, given, lambda y: model.head(pick(y)).square().sum())
    assert (found.loss_of, found.loss) == ("training loss", pytest.approx(alone.loss))
    for left, right in zip(found.layers, alone.layers, strict=True):
        np.testing.assert_allclose(left.norms["h"], right.norms["h"], rtol=1e-5)
        assert left.dynamics.lyapunov == pytest.approx(right.dynamics.lyapunov)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_loss_on_the_last_state_counts_too():
    torch.manual_seed(0)
    net, x = loopcell.LSTM(2, 4), torch.randn(6, 3, 2)
    model = nn.ModuleDict({"net": net})
    found = gradient_flow_inside(model, lambda model: model["net"](x)[1][1].sum(), "training loss")
    assert found.layers[0].norms["c"][-1] == pytest.approx(2.0)  # of 4 ones


def test_a_treatment_is_tried_on_a_copy_and_reaches_every_layer():
    torch.manual_seed(0)
    model = Reader()
    x = torch.randn(60, 4, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plain = gradient_flow_inside(model, lambda net: net(x), "training loss")
    treated = gradient_flow_inside(model, lambda net: net(x), "training loss", treatment="chrono")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(new.slope("h") > old.slope("h") for new, old in zip(treated.layers, plain.layers, strict=True))
    last = gradient_flow_inside(model, lambda net: net(x), "last output", treatment="chrono")
    assert (last.loss_of, last.treatment) == ("last output", "chrono")


def test_clipping_scales_all_norms_by_one_factor():
    """The factor is 1 over the norm over all weights, by hand; the slope stays."""
    torch.manual_seed(0)
    net, x = loopcell.RNN(3, 6), 5 * torch.randn(20, 4, 3)
    loss = lambda y: 100 * y.square().sum()  # noqa: E731
    plain, clipped = gradient_flow(net, x, loss), gradient_flow(net, x, loss, treatment="clip")
    loss(net(x)[0]).backward()
    norm = float(torch.cat([weight.grad.flatten() for weight in net.parameters()]).norm())
    assert clipped.scaled == pytest.approx(1 / norm, rel=1e-4)
    np.testing.assert_allclose(clipped.layers[0].norms["h"], plain.layers[0].norms["h"] * clipped.scaled, rtol=1e-5)
    assert clipped.layers[0].slope("h") == pytest.approx(plain.layers[0].slope("h"))
    small = gradient_flow(net, x, lambda y: 1e-6 * y.square().sum(), treatment="clip")
    assert small.scaled == 1.0


def test_findings_have_the_numbers_of_the_sentences():
    torch.manual_seed(0)
    flow = gradient_flow(loopcell.RNN(4, 8), torch.randn(80, 2, 4))
    (found,) = flow.findings()
    assert (found.fate, found.steps, found.cure) == ("vanishes", 79, "gated")
    norms = flow.layers[0].norms["h"]
    assert found.factor == pytest.approx(norms[0] / norms[-1])
    assert flow.verdict() == found.sentence() == finding(flow.layers[0], "h", gated=False).sentence()
    assert Finding(1, 1, "c", "none").sentence() == (
        "layer 1, backward, c: no gradient arrives: the loss does not depend on it"
    )


def test_the_line_of_theory_goes_through_the_last_norm():
    flow = gradient_flow(loopcell.RNN(4, 8), torch.randn(30, 2, 4))
    (layer,) = flow.layers
    line = layer.predicted("h")
    assert line[-1] == pytest.approx(layer.norms["h"][-1])
    assert np.diff(np.log(line[::-1])) == pytest.approx(layer.dynamics.predicted_slope)


def test_what_does_not_fit_is_one_sentence():
    model = nn.Linear(2, 2)
    with pytest.raises(InputError, match="called no layer of loopcell"):
        gradient_flow_inside(model, lambda net: net(torch.randn(3, 2)).sum(), "training loss")
    reader, x = Reader(), torch.randn(4, 2, 2)
    with pytest.raises(InputError, match="must be one number"):
        gradient_flow_inside(reader, lambda net: net.layers(net.first(x))[0], "training loss")
    with pytest.raises(InputError, match="not 'prayer'"):
        treat_(loopcell.GRU(2, 3), "prayer", 5)
