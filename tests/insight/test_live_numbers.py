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
from tests.laws.table import OTHERS, REGISTERED, SINGLE, case
from tests.tasks.language_model.untrained import model_of, network

PROGRAM = Path(__file__).parent / "live_numbers.mjs"
LIVE = Path(__file__).parents[2] / "docs" / "live"
DRAWN = {f"drawn {seed}": case(cell_of(draw(random.Random(seed)))) for seed in range(20)}
CASES = REGISTERED | OTHERS | {f"{name}, one number": one for name, one in SINGLE.items()} | DRAWN
CASES = {name: one for name, one in CASES.items() if len(one.cell.inputs) < 2}  # a language model has no further input
ENGLISH = "the cat sat on the mat. the dog ate the cat.\n"
KOREAN = "고양이가 매트 위에 앉았다. ㅋㅋ 정말 좋은 영화였습니다.\n"


@pytest.fixture(autouse=True)
def _reference():
    """No kernel is compiled for the few steps of a test."""
    with loopcell.backend("reference"):
        yield


def answer(**job):
    """What the page's modules say, under node."""
    node = shutil.which("node")
    if node is None:
        missing("this test runs the page's modules under node, and there is none")
    given = json.dumps(job)
    done = subprocess.run([node, PROGRAM], input=given, capture_output=True, text=True, timeout=120, check=False)
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


# --- language models -----------------------------------------------------------------------------------------------


def untrained(vocabulary, **settings):
    """A language model of drawn weights, large enough that its gates move."""
    torch.manual_seed(0)
    made = network(vocabulary, **settings)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    made.token_counts += torch.arange(len(vocabulary)).flip(0)
    return model_of(made.eval(), **settings)


def page_job(model, tmp_path, **others):
    """A model's page as a job for the page's modules."""
    path = tmp_path / "live.html"
    model.live_page(path)
    html = path.read_text(encoding="utf-8")
    facts = re.search(r'<script type="application/json" id="facts">(.*?)</script>', html)
    packed = re.search(r'<script type="text/plain" id="weights">(.*?)</script>', html)
    return {"facts": json.loads(facts[1]), "packed": packed[1], **others}


MODELS = {
    "lstm": (CharVocabulary.build([ENGLISH]), {"cell": "lstm", "hidden_size": 8, "num_layers": 2, "embedding_size": 5}),
    "gru": (JamoVocabulary.build([KOREAN]), {"cell": "gru", "hidden_size": 9, "num_layers": 1, "embedding_size": 9}),
    "rnn": (ByteVocabulary(), {"cell": "rnn", "hidden_size": 6, "num_layers": 1, "tied": True}),
}
TEXTS = {"lstm": ["the ca", "the catXé sat on"], "gru": ["좋은 ", "좋은 영화ㅋ값 고Q"], "rnn": ["aé", "a한b"]}

SHORT = {"lstm": "the catX", "gru": "좋은 ", "rnn": "a한b"}  # few enough that theory asks every step


@pytest.mark.parametrize("name", MODELS)
def test_a_model_reads_a_text_as_in_python(name, tmp_path):
    vocabulary, settings = MODELS[name]
    model = untrained(vocabulary, **settings)
    found = answer(pages=[page_job(model, tmp_path, texts=TEXTS[name])])["pages"][0]
    for text, seen in zip(TEXTS[name], found, strict=True):
        ids = vocabulary.encode(text, unknown="replace")
        assert seen["ids"] == ids.tolist()
        assert seen["text"] == vocabulary.decode(ids)
        with torch.no_grad():
            logits, _ = model.network_(torch.from_numpy(ids).unsqueeze(1))
        assert_near(seen["probabilities"], logits[:, 0].softmax(-1), 1e-5)
        for layer, view in enumerate(model.inspect(text).layers):
            for quantity, values in view.quantities.items():
                assert_near(seen["quantities"][layer][quantity], torch.from_numpy(values), 1e-5)


def test_a_closed_forget_gate_leaves_less_of_the_gradient(tmp_path):
    """By the slope beyond the bend: 20 steps back its share is larger than as trained, and yet it falls faster."""
    model = loopcell.load_model(LIVE / "english.safetensors")
    text = json.loads((LIVE / "models.json").read_text(encoding="utf-8"))["english"]["first"]
    job = page_job(model, tmp_path, texts=[text])
    changes = ({}, {"bias": -3}, {"bias": 3}, {"factor": 0.5})
    pages = answer(pages=[{**job, "changes": {"bias": 0, "factor": 1, "variant": "", **each}} for each in changes])
    as_trained, closed, opened, halved = found = [page[0] for page in pages["pages"]]
    for one in found:
        norms = np.linalg.norm(list(one["flows"][0].values()), axis=0)[10:]
        slope, _ = np.polyfit(np.arange(len(norms)), np.log(norms), 1)
        assert one["left"] == pytest.approx(np.exp(40 * slope), rel=1e-6)
    near = [one["flows"][0]["c"][20] / one["flows"][0]["c"][0] for one in (as_trained, closed)]
    assert near[1] > near[0]
    assert closed["left"] < 0.1 * as_trained["left"]
    assert halved["left"] < 0.5 * as_trained["left"] < 0.1 * opened["left"]


@pytest.mark.parametrize("name", MODELS)
def test_gradient_slope_and_memory_are_those_of_python(name, tmp_path):
    vocabulary, settings = MODELS[name]
    model, text = untrained(vocabulary, **settings), SHORT[name]
    found = answer(pages=[page_job(model, tmp_path, texts=[text])])["pages"][0][0]
    net, ids = model.network_, torch.from_numpy(vocabulary.encode(text, unknown="replace"))
    head = net.embedding.weight if net.tied else net.head.weight

    def surprise(output):
        scores = torch.nn.functional.linear(output[-1, 0], head, net.head.bias)
        return -scores.log_softmax(-1)[ids[-1]]

    x = net.embedding(ids[:-1].unsqueeze(1)).detach()
    flow = gradient_flow(net.recurrent, x, surprise, dynamics=False)
    for layer, seen, slopes in zip(flow.layers, found["flows"], found["slopes"], strict=True):
        for state in layer.norms:
            np.testing.assert_allclose(seen[state], layer.back(state), rtol=1e-4, atol=1e-9)
            assert slopes[state] == pytest.approx(layer.slope(state), rel=1e-4)
    dynamics = step_dynamics(net.recurrent, 0, 0, x[:, 0])
    assert found["predicted"][0] == pytest.approx(dynamics.predicted_slope, abs=0.03)
    assert found["effects"] == pytest.approx(effects(model, ids), abs=1e-5)
    largest = max(found["effects"])
    assert found["horizon"] == max(lag for lag, effect in enumerate(found["effects"]) if effect > largest / 10)


def effects(model, ids):
    """By lag: the mean total variation of the prediction at the end when a frequent token stands there."""
    frequent = [token for token in range(4) if token != model.vocabulary_.unknown_id][:3]

    def end(tokens):
        with torch.no_grad():
            return model.network_(tokens.unsqueeze(1))[0][-1, 0].softmax(-1)

    found = []
    for lag in range(min(12, len(ids))):
        changed = []
        for token in frequent:
            other = ids.clone()
            other[-1 - lag] = token
            if token != ids[-1 - lag]:
                changed.append(float(0.5 * (end(other) - end(ids)).abs().sum()))
        found.append(np.mean(changed))
    return found


def test_changes_of_the_model_are_those_of_its_weights_and_equations(tmp_path):
    vocabulary, settings = MODELS["lstm"]
    model, text = untrained(vocabulary, **settings), "the cat"
    changes = {"bias": -2.0, "factor": 1.5, "variant": "f = 1"}
    trained = {"bias": 0.0, "factor": 1.0, "variant": ""}
    jobs = [{**trained, name: value} for name, value in changes.items()]
    found = answer(pages=[page_job(model, tmp_path, texts=[text], changes=each) for each in jobs])["pages"]
    net = model.network_.recurrent
    with torch.no_grad():
        for layer in range(2):
            net.weights(layer, 0)["b.f"].sub_(2)
    check_probabilities(model, text, found[0][0])
    with torch.no_grad():
        for layer in range(2):
            net.weights(layer, 0)["b.f"].add_(2)
            for gate in "ifgo":
                net.weights(layer, 0)[f"U.{gate}"].mul_(1.5)
    check_probabilities(model, text, found[1][0])
    with torch.no_grad():
        for layer in range(2):
            for gate in "ifgo":
                net.weights(layer, 0)[f"U.{gate}"].div_(1.5)
            net.weights(layer, 0)["b.f"].fill_(1e4)  # a forget gate that is always open
    check_probabilities(model, text, found[2][0])


def check_probabilities(model, text, seen):
    ids = model.vocabulary_.encode(text, unknown="replace")
    with torch.no_grad():
        logits, _ = model.network_(torch.from_numpy(ids).unsqueeze(1))
    assert_near(seen["probabilities"], logits[:, 0].softmax(-1), 1e-5)


def test_theory_is_exact_where_the_step_is_linear(tmp_path):
    vocabulary, settings = MODELS["rnn"]
    model = untrained(vocabulary, **settings)
    changes = {"bias": 0.0, "factor": 0.5, "variant": "linear"}
    found = answer(pages=[page_job(model, tmp_path, texts=["abcdefgh"], changes=changes)])["pages"][0][0]
    matrix = model.network_.recurrent.weights(0, 0)["U.h"].detach().double()
    radius = float(torch.linalg.eigvals(0.5 * matrix).abs().max())
    assert found["predicted"][0] == pytest.approx(np.log(radius), abs=0.02)


def test_a_clipped_gradient_is_no_larger_than_asked(tmp_path):
    vocabulary, settings = MODELS["lstm"]
    model = untrained(vocabulary, **settings)
    job = page_job(model, tmp_path, texts=["the cat sat"])
    free, clipped = (one[0] for one in answer(pages=[job, {**job, "clip": 0.01}])["pages"])
    handed = np.hypot(*(np.array(clipped["flows"][1][state][1:]) for state in "hc"))
    assert handed.max() > 0.005
    assert free["flows"][1]["c"][0] == clipped["flows"][1]["c"][0]  # nothing was handed on yet
    assert free["probabilities"] == clipped["probabilities"]


# --- variants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cells.names())
def test_variants_run_on_the_weights_of_their_cell(name):
    cell = cells.get(name)
    for what, graph in variants(cell).items():
        assert graph.states == cell.graph.states, what
        for parameter, shape in graph.parameters.items():
            assert cell.graph.parameters[parameter] == shape, what


def test_a_gate_that_is_held_needs_no_parameters():
    graph = held(cells.get("lstm").graph, "f", 1.0)
    assert "f" not in {node.label for node in graph.nodes}
    assert set(cells.get("lstm").graph.parameters) - set(graph.parameters) == {"W.f", "U.f", "b.f"}
