"""torch.compile takes a network whole: no graph break, equal numbers, equal gradients."""

import os
import shutil

import pytest
import torch

from loopcell import cells
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


@pytest.mark.parametrize(("name", "form"), [("gru", {"num_layers": 2, "bidirectional": True}), ("lstm_layer_norm", {})])
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
