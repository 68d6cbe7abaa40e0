"""A model's step as stages: the same numbers as the network, for every cell; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell import GRU, LSTM, Recurrent, cells
from loopcell.equations.ops import LEAVES, OPS
from loopcell.errors import InputError, UsageError
from loopcell.export.step_model import Delay, Lookup, Output, Quantity, Softmax, StepModel, StepRun, layer_stages
from loopcell.export.step_model.evaluate import OPERATIONS
from loopcell.export.step_model.formulas import linear_stage, scale_stage
from loopcell.export.step_model.stages import reads_of
from loopcell.layers.stack import Stack

PLAIN = [name for name in cells.names() if cells.get(name).inputs == ("x",)]


def model_of(net: Stack) -> StepModel:
    entry = Quantity("x", net.input_size)
    stages = layer_stages(net, entry)
    return StepModel("net", (entry,), tuple(stages), (Output(stages[-1].gives.name),))


@pytest.mark.parametrize("name", PLAIN)
def test_a_step_of_every_cell_is_the_networks(name: str) -> None:
    sizes = {size: 4 for size in cells.get(name).sizes if size not in ("input", "hidden")}
    hidden = 3 if cells.get(name).graph.declared_sizes.get("input") == "hidden" else 5
    net = Recurrent(name, input_size=3, hidden_size=hidden, num_layers=2, sizes=sizes).double().eval()
    x = torch.randn(6, 1, 3, dtype=torch.float64)
    expected, after = net(x)
    run = StepRun(model_of(net))
    found = [run.step(x=row[0].numpy())["layer2"] for row in x]
    assert np.allclose(found, expected[:, 0].detach().numpy(), atol=1e-5)  # parameters are float32 in a StepModel
    for state in after:
        assert np.allclose(run.state[f"layer2.{state}"], after[state][1, 0].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("net", [LSTM(3, 5, proj_size=2), GRU(3, 4, num_layers=2, dropout=0.3)])
def test_replacements_of_torch_have_stages_too(net: Stack) -> None:
    net.eval()
    x = torch.randn(4, 1, 3)
    run = StepRun(model_of(net))
    found = [run.step(x=row[0].numpy()) for row in x]
    last = next(iter(found[-1].values()))
    assert np.allclose(last, net(x)[0][-1, 0].detach().numpy(), atol=1e-5)


def test_scale_head_and_softmax_are_stages() -> None:
    x, rng = Quantity("x", 3), np.random.default_rng(0)
    weight, bias = rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=2).astype(np.float32)
    mean, deviation = np.float32([1, 2, 3]), np.float32([2, 2, 4])
    scaled = scale_stage("scaled", x, mean, deviation)
    scores = linear_stage("scores", scaled.gives, weight, bias)
    model = StepModel(
        "head", (x,), (scaled, scores, Softmax(Quantity("shares", 2), "scores")), (Output("shares", ("a", "b")),)
    )
    given = rng.normal(size=3)
    expected = torch.from_numpy(weight @ ((given - mean) / deviation) + bias).softmax(0)
    assert np.allclose(StepRun(model).step(x=given)["shares"], expected)
    assert model.parameters == 3 + 3 + 6 + 2
    assert [reads_of(stage) for stage in model.stages] == [("x",), ("scaled",), ("scores",)]


def test_a_table_and_a_delay() -> None:
    token = Quantity("token", 1, "token")
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    model = StepModel(
        "memory",
        (token,),
        (Lookup(Quantity("vector", 2), table, "token"), Delay(Quantity("recent", 6), 3, "vector")),
        (Output("recent"),),
    )
    run = StepRun(model)
    assert run.step(token=2)["recent"].tolist() == [4, 5] * 3
    assert run.step(token=0)["recent"].tolist() == [4, 5, 4, 5, 0, 1]
    assert model.states == {"recent.recent": 6, "recent.begun": 1}
    with pytest.raises(InputError, match="token 3 is not one of 0 to 2"):
        run.step(token=3)
    for odd in (1.5, True, "1"):
        with pytest.raises(InputError, match="the input 'token' takes the number of a token; got"):
            run.step(token=odd)
    run.reset()
    assert run.step(token=1)["recent"].tolist() == [2, 3] * 3


def test_every_op_has_a_numpy_spelling() -> None:
    assert set(OPERATIONS) | {"expand"} == set(OPS) - LEAVES


def test_what_has_no_step_is_refused() -> None:
    with pytest.raises(UsageError, match="bidirectional network reads a sequence from its end too"):
        layer_stages(GRU(3, 4, bidirectional=True), Quantity("x", 3))
    with pytest.raises(UsageError, match="reads `dt` beside its input"):
        layer_stages(Recurrent("lstm_time_aware", input_size=3, hidden_size=4), Quantity("x", 3))
    with pytest.raises(UsageError, match="stage 'p' reads 'y', which nothing gives before it"):
        StepModel("bad", (Quantity("x", 3),), (Softmax(Quantity("p", 3), "y"),), (Output("p"),))
    with pytest.raises(UsageError, match="two quantities"):
        StepModel("bad", (Quantity("x", 3),), (Softmax(Quantity("x", 3), "x"),), (Output("x"),))
    with pytest.raises(UsageError, match="answers with 'q'"):
        StepModel("bad", (Quantity("x", 3),), (), (Output("q"),))
