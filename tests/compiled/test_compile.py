"""torch.compile takes a network whole: no graph break, equal numbers, equal gradients."""

import os
import shutil

import pytest
import torch

from loopcell import Recurrent, cells
from loopcell.testing import TOLERANCES, Case, assert_all_close
from loopcell.testing.case import observe

T = 3
COMPILER = any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++"))


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled_equals_eager(tried, backend, **form):
    net = tried.net(dtype=torch.float32, **form)
    compiled = torch.compile(net, fullgraph=True, backend=backend)
    x, state = tried.inputs().float(), tried.state(net).to(torch.float32)
    expected = observe(net, net, x, state)
    assert_all_close(observe(net, compiled, x, state), expected, tolerance=10 * TOLERANCES[torch.float32])


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("gru", {"num_layers": 2, "bidirectional": True}),
        ("lstm_layer_norm", {}),
        ("gru_decay", {"num_layers": 2}),
        ("gru_d", {"bidirectional": True}),
    ],
)
def test_fullgraph(name, form):
    compiled_equals_eager(Case(cells.get(name), steps=T), "aot_eager", **form)


def test_fullgraph_with_lengths_and_reset():
    tried = Case(cells.get("gru"), steps=T)
    net = tried.net()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x, masks = tried.inputs(), {"lengths": tried.lengths(), "reset": tried.reset()}
    state = tried.state(net)
    expected = observe(net, lambda x, state: net(x, state, **masks), x, state)
    assert_all_close(observe(net, lambda x, state: compiled(x, state, **masks), x, state), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own compiler, in its own modules
@pytest.mark.skipif(not COMPILER, reason="torch's compiler needs a C++ compiler, and there is none")
def test_fullgraph_to_machine_code():
    compiled_equals_eager(Case(cells.get("lstm"), steps=T), "inductor")


def test_an_exported_program_takes_further_inputs_by_name():
    net = Case("gru_d").net(dtype=torch.float32)
    plain = Recurrent("gru_d", 3, 5).eval()
    plain.load_state_dict(net.state_dict())
    x, given = torch.randn(T, 2, 3), {"mask": torch.ones(T, 2, 3), "dt": torch.rand(T, 2, 3)}
    program = torch.export.export(plain, (x,), given).module()
    other = {"mask": (torch.rand(T, 2, 3) < 0.5).float(), "dt": torch.rand(T, 2, 3)}
    assert_all_close({"y": program(x, **other)[0]}, {"y": plain(x, **other)[0]})
