"""The live page's interpreter beside the library: the op table, every cell, and a language model's measures."""

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.data import ByteVocabulary, CharVocabulary, JamoVocabulary
from loopcell.equations.ops import LEAVES, OPS
from loopcell.insight import gradient_flow, step_dynamics
from loopcell.insight.live import graph_facts
from loopcell.insight.variants import held, variants
from loopcell.layers import State
from loopcell.passes.derivatives import DERIVATIVES
from tests.browser import missing
from tests.laws.drawn import cell_of, draw
from tests.laws.table import ODD, OTHERS, REGISTERED, SINGLE, case
from tests.tasks.language_model.untrained import model_of, network

PROGRAM = Path(__file__).parent / "live_numbers.mjs"
DRAWN = {f"drawn {seed}": case(cell_of(draw(random.Random(seed)))) for seed in range(40)}
CASES = REGISTERED | OTHERS | {f"{name}, one number": one for name, one in SINGLE.items()} | DRAWN
CASES |= {f"{name}, odd": one for name, one in ODD.items()}
ENGLISH = "the cat sat on the mat. the dog ate the cat.\n"
KOREAN = "고양이가 매트 위에 앉았다. ㅋㅋ 정말 좋은 영화였습니다.\n"


def answer(**job):
    """What the page's modules say, under node."""
    node = shutil.which("node")
    if node is None:
        missing("this test runs the page's modules under node, and there is none")
    done = subprocess.run([node, PROGRAM], input=json.dumps(job), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- cells ---------------------------------------------------------------------------------------------------------


def as_lists(tensors):
    return {name: tensor.detach().flatten().tolist() for name, tensor in tensors.items()}


class Both:
    """A cell's case as a job for the page, and as the library computes it."""

    def __init__(self, one):
        self.net, self.x = one.net(), one.inputs(batch=1)
        self.state = one.state(self.net, batch=1)
        with loopcell.backend("reference"):
            width = self.net(self.x)[0].shape[-1]
            self.weights = torch.randn(len(self.x), 1, width, dtype=torch.float64)
            self.final = {name: torch.randn_like(value) for name, value in self.state.items()}

    def job(self):
        return {
            "graph": graph_facts(self.net.cell.graph),
            "sizes": dict(self.net.executable(0).sizes),
            "parameters": as_lists(self.net.weights(0, 0)),
            "inputs": self.x[:, 0].tolist(),
            "states": as_lists(self.state),
            "outputWeights": self.weights[:, 0].tolist(),
            "stateWeights": as_lists(self.final),
        }

    def check(self, found):
        x = self.x.requires_grad_()
        state = State(**{name: value.requires_grad_() for name, value in self.state.items()})
        with loopcell.backend("reference"):
            seen = self.net.record(x, state=state)
            y, after = self.net(x, state)
        for name, (values,) in seen.items():
            assert_near(found["quantities"][name], values[:, 0], 1e-9)
        assert_near(found["outputs"], y[:, 0], 1e-9)
        loss = (y * self.weights).sum() + sum((after[name] * weight).sum() for name, weight in self.final.items())
        grads = torch.autograd.grad(loss, [x, *state.values()], allow_unused=True, materialize_grads=True)
        if any(found["inputGradients"]):
            assert_near(found["inputGradients"], grads[0][:, 0], 1e-7)
        for name, gradient in zip(state, grads[1:], strict=True):
            if name in found["stateGradients"]:
                assert_near(found["stateGradients"][name], gradient.flatten(), 1e-7)
            else:
                assert not gradient.any()


def assert_near(found, expected, tolerance):
    expected = expected.detach().numpy()
    found = np.array([np.nan if value is None else value for value in np.ravel(np.array(found, dtype=object))], float)
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=0, atol=tolerance * scale)


def test_every_cell_gives_the_same_numbers_and_gradients():
    torch.manual_seed(0)
    both = {name: Both(one) for name, one in CASES.items()}
    found = answer(cells=[each.job() for each in both.values()])["cells"]
    for (name, each), numbers in zip(both.items(), found, strict=True):
        try:
            each.check(numbers)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_no_op_is_missing():
    """What a cell's graph may hold is in the page's tables; the rest is made by the passes, and in no file."""
    found = answer()
    elementwise, others, numbers = map(set, found["ops"])
    made_by_passes = {"hoisted", "saved", "cotangent", "matmul_t"}
    assert elementwise == {op.name for op in OPS.values() if op.rule == "elementwise"}
    assert others == {op.name for op in OPS.values() if op.rule not in ("elementwise", "leaf")} - made_by_passes
    assert numbers | {"input", "state", "parameter"} == LEAVES - made_by_passes
    assert set(DERIVATIVES) <= elementwise | others
    assert all(found["derivatives"][name] == OPS[name].arity for name in elementwise)
