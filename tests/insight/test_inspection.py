import base64
import json
import re
import zlib
from dataclasses import replace
from xml.dom import minidom

import numpy as np
import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.errors import InputError
from loopcell.insight import Inspection, Prediction, look_inside
from loopcell.insight.planes import encoded


def _seen(net, x):
    layers = look_inside(net, lambda: net(x))
    return Inspection("a network", [str(step) for step in range(len(x))], layers)


def test_quantities_are_those_of_a_computation_by_hand_in_double_precision():
    torch.manual_seed(0)
    net = loopcell.GRU(3, 4).double()
    x = torch.randn(6, 1, 3, dtype=torch.float64)
    seen = _seen(net, x)
    w, u = net.weight_ih_l0.detach(), net.weight_hh_l0.detach()
    h = torch.zeros(1, 4, dtype=torch.float64)
    for step, value in enumerate(x):
        a = (value @ w.T + net.bias_ih_l0.detach()).chunk(3, -1)
        b = (h @ u.T + net.bias_hh_l0.detach()).chunk(3, -1)
        r, z = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
        n = torch.tanh(a[2] + r * b[2])
        h = (1 - z) * n + z * h
        for name, expected in {"r": r, "z": z, "n": n, "h": h}.items():
            np.testing.assert_allclose(seen[name][0][step], expected[0].numpy(), rtol=1e-6)


def test_pieces_of_a_stream_and_modules_around_it_are_seen_too():
    net = loopcell.Recurrent(cells.get("lstm"), 2, 3, num_layers=2)
    model = torch.nn.ModuleDict({"encoder": net})
    x = torch.randn(8, 1, 2)

    def read():
        state = None
        for piece in x.split(3):
            _, state = net(piece, state)

    pieces, whole = look_inside(model, read), look_inside(model, lambda: net(x))
    assert [view.name for view in pieces] == ["encoder, layer 0", "encoder, layer 1"]
    for ours, theirs in zip(pieces, whole, strict=True):
        for name, value in ours.quantities.items():
            np.testing.assert_allclose(value, theirs.quantities[name], atol=1e-6)


def test_forms_for_others(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    net = loopcell.GRU(2, 3)
    seen = _seen(net, torch.randn(5, 1, 2))
    table = seen.to_table()
    assert isinstance(table, pyarrow.Table)
    assert table.num_rows == 5 * 3 * len(seen.layers[0].quantities)
    rows = [row for row in table.to_pylist() if row["quantity"] == "z" and row["step"] == 2 and row["unit"] == 1]
    assert [row["value"] for row in rows] == [pytest.approx(float(seen["z"][0][2, 1]))]
    for ending in (".npz", ".parquet", ".csv", ".png", ".svg", ".html"):
        seen.save(tmp_path / f"seen{ending}")
        assert (tmp_path / f"seen{ending}").stat().st_size > 500
    with np.load(tmp_path / "seen.npz") as arrays:
        np.testing.assert_array_equal(arrays[f"{seen.layers[0].name}/h"], seen["h"][0])
    with pytest.raises(InputError, match="is saved as"):
        seen.save(tmp_path / "seen.doc")
    assert "<iframe" in seen._repr_html_()


def test_a_window_says_that_it_is_one():
    seen = _seen(loopcell.GRU(2, 3), torch.randn(9, 1, 2)).window(2, 6)
    assert list(seen.steps) == ["2", "3", "4", "5"]
    assert seen["h"][0].shape == (4, 3)
    assert seen.notes == ("steps 2 to 5 of 9 are shown",)


def test_what_cannot_be_looked_at_is_one_sentence():
    net, x = loopcell.GRU(2, 3), torch.randn(4, 2, 2)
    with pytest.raises(InputError, match="a batch of 2"):
        look_inside(net, lambda: net(x))
    with pytest.raises(InputError, match="no layer of loopcell"):
        look_inside(torch.nn.Linear(1, 1), lambda: None)
    with pytest.raises(InputError, match="no step"):
        Inspection("nothing", [], [])
    seen = _seen(net, x[:, :1])
    with pytest.raises(InputError, match="has 4 steps, and the sequence 3"):
        Inspection("short", ["a", "b", "c"], seen.layers)
    with pytest.raises(InputError, match="no layer has a quantity 'q'; there is r"):
        seen["q"]


def test_planes_come_back_within_a_code():
    values = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    values[3, 2] = np.inf
    plane = encoded(values)
    raw = np.frombuffer(zlib.decompress(base64.b64decode(plane["data"])), np.uint8).reshape(2, -1)
    differences = (raw[0].astype(np.uint16) | raw[1].astype(np.uint16) << 8).reshape(7, 40)
    codes = np.cumsum(differences, axis=1, dtype=np.uint16).T
    assert codes[3, 2] == 0xFFFF
    back = plane["low"] + codes / 65534 * (plane["high"] - plane["low"])
    finite = np.isfinite(values)
    np.testing.assert_allclose(back[finite], values[finite], atol=(plane["high"] - plane["low"]) / 65534)


def test_a_model_in_training_is_read_in_evaluation_and_left_as_it_was():
    net = loopcell.GRU(2, 3, num_layers=2, dropout=0.5)
    x, state = torch.randn(6, 1, 2), torch.get_rng_state()
    outputs = []
    layers = look_inside(net, lambda: outputs.append(net(x)[0]))
    np.testing.assert_allclose(layers[1].quantities["h"], outputs[0][:, 0].numpy(), atol=1e-6)
    assert net.training
    assert torch.equal(torch.get_rng_state(), state)

    def fails():
        net(x)
        raise ValueError("the reader's own")

    with pytest.raises(ValueError, match="the reader's own"):
        look_inside(net, fails)
    assert net.training
    assert not net._forward_hooks


def test_a_loop_that_writes_its_steps_into_one_tensor_is_seen_as_it_was():
    net, x = loopcell.GRU(2, 3), torch.randn(5, 1, 2)

    def read():
        one, state = torch.empty(1, 1, 2), torch.zeros(1, 1, 3)
        for step in x:
            one.copy_(step)
            _, state_after = net(one, state)
            state.copy_(state_after.h if hasattr(state_after, "h") else state_after)

    (found,), (expected,) = look_inside(net, read), look_inside(net, lambda: net(x))
    np.testing.assert_allclose(found.quantities["h"], expected.quantities["h"], atol=1e-6)


HOSTILE = ["a\x00b", "\x1b[31m", "\u202eabc", "👩\u200d👩", "x" * 10_000, "$\\frac{$", "_^{", "\n", ""]
HOSTILE += ["half \ud800", "<!--"]


def test_a_probability_that_is_no_number_is_shown_as_none():
    seen = _seen(loopcell.GRU(2, 3), torch.randn(2, 1, 2))
    said = [
        [Prediction("a", float("nan")), Prediction("b", 0.5)],
        [Prediction("c", np.float32(np.inf)), Prediction("d")],
    ]
    page = replace(seen, predictions=said, answer=said[0]).html()
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page).group(1))
    assert facts["predictions"] == [[["a", None], ["b", 0.5]], [["c", None], ["d", None]]]
    assert facts["answer"] == [["a", None], ["b", 0.5]]


def test_labels_and_names_that_no_file_expects_are_written_all_the_same(tmp_path):
    net = loopcell.GRU(2, 3)
    layers = look_inside(net, lambda: net(torch.randn(len(HOSTILE), 1, 2)))
    traces = {name: np.arange(len(HOSTILE), dtype=np.float64) for name in ("file", "steps", "allow_pickle")}
    seen = Inspection("title of $1 \ud800", HOSTILE, layers, traces)
    for ending in (".html", ".npz", ".png", ".svg"):
        seen.save(tmp_path / f"seen{ending}")
    csv = pytest.importorskip("pyarrow.csv")
    seen.save(tmp_path / "seen.csv")
    options = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(tmp_path / "seen.csv", parse_options=options, read_options=csv.ReadOptions(block_size=2**24))
    rows = [row for row in table.to_pylist() if row["quantity"] == "h" and row["unit"] == 2]
    np.testing.assert_allclose([row["value"] for row in rows], seen["h"][0][:, 2], rtol=1e-6)
    assert [row["token"] for row in rows] == [*HOSTILE[:9], "half ?", "<!--"]
    minidom.parse(str(tmp_path / "seen.svg"))
    with np.load(tmp_path / "seen.npz") as arrays:
        np.testing.assert_array_equal(arrays["trace/file"], traces["file"])
        assert arrays["steps"].tolist()[4] == "x" * 10_000
    page = (tmp_path / "seen.html").read_text(encoding="utf-8")
    facts = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page)
    assert json.loads(facts.group(1))["steps"] == HOSTILE
