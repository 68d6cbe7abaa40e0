"""Models in WebAssembly: the numbers of the same C natively, bit for bit, in wasmtime and a browser; and the page."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
import torch

from loopcell import GRU, LSTM, AudioEffect, LanguageModel, Recurrent, SequenceClassifier, cells
from loopcell.backends.c.toolchain.target import target
from loopcell.data import LogMel
from loopcell.errors import CheckFailed, FileFormatError, InputError, MissingExtraError, UsageError
from loopcell.export import WasmStream, step_model_of, to_wasm
from loopcell.export.c.compiled import compile_program
from loopcell.export.c.product import product_form
from loopcell.export.c.source import CSource
from loopcell.export.step_model import StepRun
from loopcell.export.wasm import build
from tests.browser import opened

QUICK = {"hidden_size": 4, "epochs": 2, "random_state": 0, "progress": False}


def natively(model, folder, inputs):
    """The answers of the same C, compiled for this machine without fused multiply-adds."""
    source = CSource(step_model_of(model), "model", product_form("vectors"))
    for name, text in (("model.h", source.header()), ("model.c", source.code())):
        (folder / name).write_text(text, encoding="utf-8")
    command = (*target().command, "-std=c99", "-O2", "-ffp-contract=off")
    return compile_program(source, folder, command).steps(inputs)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "gru_layer_norm", "min_gru", "mgu"])
def test_the_numbers_are_those_of_the_c_bit_for_bit(name, tmp_path):
    net = Recurrent(name, input_size=3, hidden_size=21, num_layers=2)
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    report = to_wasm(net, tmp_path / "out", name="net", data={"x": x})
    assert report.verified_steps == 40
    stream = WasmStream(tmp_path / "out" / "net.wasm", step_model_of(net))
    found = np.array([stream.step(x=row)["layer2"] for row in x])
    (tmp_path / "native").mkdir()
    assert np.array_equal(found, natively(net, tmp_path / "native", {"x": x})["layer2"])
    stream.reset()
    assert np.array_equal(stream.step(x=x[0])["layer2"], found[0])


def test_there_are_these_cells():
    assert {"lstm", "gru", "rnn", "gru_layer_norm", "min_gru", "mgu"} <= set(cells.names())


IN_A_MODULE = """
import { load, MANIFEST } from "./net.js";
import { readFileSync } from "node:fs";
const model = await load(readFileSync(new URL("./net.wasm", import.meta.url)));
const rows = JSON.parse(readFileSync(0, "utf-8"));
const one = model.stream(), found = [];
rows.slice(0, 10).forEach((row) => found.push(one.step(row)));
const saved = one.save(), other = model.stream(saved), fork = one.fork();
one.free();
model.stream().step(rows[0]);                   // takes the freed memory, which knows nothing of what was there
rows.slice(10).forEach((row) => found.push(other.step(row)));
const again = rows.slice(10).map((row) => fork.step(row));
const fresh = model.stream();
const first = fresh.step(rows[0]);
fresh.reset();
const errors = [() => one.step(rows[0]), () => fork.step([1]), () => fork.step(), () => fork.load(saved.slice(1)),
  () => { saved[30] ^= 1; fork.load(saved); }, () => fork.feed(new Float32Array(3))];
const said = errors.map((work) => { try { work(); return "nothing"; } catch (error) { return error.message; } });
const name = MANIFEST.outputs[0].name, plain = (answers) => answers.map((one) => Array.from(one[name]));
console.log(JSON.stringify({ found: plain(found), again: plain(again), first: plain([first]), said }));
"""


def test_streams_in_javascript(tmp_path):
    """Many streams side by side, saved, forked, freed; and what is refused."""
    net = LSTM(3, 6)
    x = np.random.default_rng(1).normal(size=(25, 3)).astype(np.float32)
    to_wasm(net, tmp_path / "out", name="net", data={"x": x})
    (tmp_path / "out" / "try.mjs").write_text(IN_A_MODULE, encoding="utf-8")
    done = subprocess.run(
        ["node", tmp_path / "out" / "try.mjs"],
        input=json.dumps(x.tolist()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    expected = net.eval()(torch.from_numpy(x[:, None]))[0][:, 0].detach().numpy()
    assert np.allclose(said["found"], expected, atol=1e-5)
    assert said["again"] == said["found"][10:]
    assert said["first"] == said["found"][:1]
    assert said["said"] == [
        "this stream was freed",
        "x has 3 numbers, got 1",
        "a step takes 1 input(s), got 0",
        "this is the state of another model, or damaged; the stream is as it was",
        "this is the state of another model, or damaged; the stream is as it was",
        "this model reads steps, not sound: call step",
    ]


OF_EVERY_KIND = """
import { load, MANIFEST } from "./net.js";
import { readFileSync } from "node:fs";
const model = await load(readFileSync(new URL("./net.wasm", import.meta.url)));
const stream = model.stream(), name = MANIFEST.outputs[0].name;
const from = (given) => { stream.reset(); return Array.from(stream.step(given)[name], String); };
const said = (given) => { try { return from(given); } catch (error) { return `${error.name}: ${error.message}`; } };
const taken = [[1, null, 2], [1, NaN, 2], new Float64Array([1, NaN, 2])].map(from);
const same = [[1, 2, 3], new Float32Array([1, 2, 3]), new Int16Array([1, 2, 3])].map(from);
const refused = [[1, true, 2], [1, "1.5", 2], ["", 1, 2], [1, 2, undefined], [1, , 2], [1, [2], 3],
  "abc", undefined, null, 7, { length: 3 }].map(said);
console.log(JSON.stringify({ name: MANIFEST.name, taken, same, refused }));
"""


def test_what_is_no_number_is_refused_in_javascript_and_what_is_missing_is_nan(tmp_path):
    said = in_node(LSTM(3, 6), tmp_path / "out", OF_EVERY_KIND)
    assert said["name"] == "net"
    assert said["taken"] == [["NaN"] * 6] * 3
    assert said["same"] == [said["same"][0]] * 3
    assert "NaN" not in said["same"][0]
    missing = "; one that is missing is null or NaN"
    assert said["refused"] == [
        f"TypeError: x[1] is no number but true{missing}",
        f'TypeError: x[1] is no number but "1.5"{missing}',
        f'TypeError: x[0] is no number but ""{missing}',
        f"TypeError: x[2] is no number but undefined{missing}",
        f"TypeError: x[1] is no number but undefined{missing}",
        f"TypeError: x[1] is no number but a value of Array{missing}",
        'TypeError: x is an array of numbers, not "abc"',
        "TypeError: x is an array of numbers, not undefined",
        "TypeError: x is an array of numbers, not null",
        "TypeError: x is an array of numbers, not 7",
        "TypeError: x is an array of numbers, not a value of Object",
    ]


SOUND_OF_EVERY_KIND = """
import { load } from "./net.js";
import { readFileSync } from "node:fs";
const model = await load(readFileSync(new URL("./net.wasm", import.meta.url)));
const samples = Array.from({ length: 1000 }, (_, at) => Math.fround(Math.sin(at * at) / 2));
const fed = (given) => { const stream = model.stream();
  return [...stream.feed(given), ...stream.finish()].map((one) => Array.from(one.probabilities)); };
const said = (given) => { try { return fed(given); } catch (error) { return `${error.name}: ${error.message}`; } };
console.log(JSON.stringify({ same: [samples, Float32Array.from(samples), Float64Array.from(samples)].map(fed),
  refused: [new Int16Array(1000), [0, "1"], "sound", undefined].map(said) }));
"""


def test_sound_in_javascript_is_floats(tmp_path):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(0, 0.1, 1300 + 10 * one).astype(np.float32) for one in range(20)]
    model = SequenceClassifier(features=LogMel(8000), **QUICK).fit(X, ["a", "b"] * 10)
    said = in_node(model, tmp_path / "out", SOUND_OF_EVERY_KIND)
    assert len(said["same"][0]) > 2
    assert said["same"] == [said["same"][0]] * 3
    floats = "TypeError: samples are floats from -1 to 1 in a Float32Array or an array, not"
    assert said["refused"] == [
        f"{floats} a value of Int16Array",
        'TypeError: samples[1] is no number but "1"; one that is missing is null or NaN',
        f'{floats} "sound"',
        f"{floats} undefined",
    ]


AN_EFFECT = """
import { load } from "./net.js";
import { readFileSync } from "node:fs";
const model = await load(readFileSync(new URL("./net.wasm", import.meta.url)));
const stream = model.stream(), samples = new Float32Array([0.1, -0.2, 0.3]);
const said = (work) => { try { return work(); } catch (error) { return `${error.name}: ${error.message}`; } };
const refused = [() => stream.feed(samples), () => stream.process(new Float32Array([0, NaN])), () => stream.step([NaN]),
  () => stream.step([null]), () => stream.process(samples, null), () => stream.process(samples, new Float32Array(2)),
  () => stream.process(), () => stream.process(new Int16Array(3))].map(said);
const found = stream.process(samples), into = new Float32Array(3);
stream.reset();
stream.process(samples, into);
console.log(JSON.stringify({ refused, found: Array.from(found), into: Array.from(into) }));
"""


def test_an_effect_refuses_what_is_no_sound_and_stays_as_it_was(tmp_path):
    effect = AudioEffect([LSTM(1, 4), torch.nn.Linear(4, 1)], 44_100)
    said = in_node(effect, tmp_path / "out", AN_EFFECT)
    assert np.allclose(said["found"], effect.process(np.array([0.1, -0.2, 0.3], np.float32)), atol=1e-6)
    assert said["into"] == said["found"]
    floats = "TypeError: samples are floats from -1 to 1 in a Float32Array or an array, not"
    assert said["refused"] == [
        "TypeError: this model answers samples with samples: call process",
        "RangeError: samples[1] is NaN",
        "RangeError: x[0] is NaN",
        "RangeError: x[0] is NaN",
        "TypeError: process writes into a Float32Array, not null",
        "RangeError: 3 samples do not fit into 2",
        f"{floats} undefined",
        f"{floats} a value of Int16Array",
    ]


def in_node(model, folder, program):
    """What a program of JavaScript prints that stands beside a model named net."""
    to_wasm(model, folder, name="net")
    (folder / "try.mjs").write_text(program, encoding="utf-8")
    done = subprocess.run(["node", folder / "try.mjs"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_page_reads_numbers(browser, tmp_path):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(3, 2, (drawn.integers(5, 16), 2)) for _ in range(30)]
    model = SequenceClassifier(**QUICK).fit(X, ["high" if one.mean() > 3 else "low" for one in X])
    to_wasm(model, tmp_path / "out")
    lines = "\n".join(", ".join(f"{number:.17g}" for number in row) for row in X[0])
    with opened(browser, tmp_path / "out" / "index.html", wait=ready) as page:
        page.fill("#given", lines)
        page.click("text=read on")
        page.wait_for_selector("table")
        rows = page.eval_on_selector_all("tbody tr", "rows => rows.map(row => [...row.cells].map(c => c.textContent))")
        expected = model.predict_proba([X[0]])[0]
        assert len(rows) == len(X[0])
        assert np.allclose([float(cell) for cell in rows[-1][1:]], expected, atol=2e-4)
        assert page.text_content("th:nth-child(2)") == "high"
        page.fill("#given", "1, 2, 3")
        page.click("text=read on")
        assert "line 1: 2 numbers are a step" in page.text_content("[role=alert]")
        page.click("text=start afresh")
        assert "has read 0 steps" in page.text_content("main")


def test_the_page_reads_text(browser, tmp_path):
    model = LanguageModel(hidden_size=8, updates=3, batch_size=2, progress=False).fit(["to be or not to be <>& " * 20])
    to_wasm(model, tmp_path / "out")
    stream = model.stream()
    expected = [stream.step(letter) for letter in "or not"][-1].probabilities
    with opened(browser, tmp_path / "out" / "index.html", width=380, wait=ready) as page:
        page.fill("#given", "or not")
        page.click("text=read on")
        page.wait_for_selector("meter")
        shown = float(page.text_content(".bar span:last-child"))
        assert shown == pytest.approx(expected.max(), abs=1e-4)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than a phone"


def test_sound_frame_by_frame(browser, tmp_path):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(0, 0.1, 1300 + 10 * one).astype(np.float32) for one in range(20)]
    model = SequenceClassifier(features=LogMel(8000), **QUICK).fit(X, ["a", "b"] * 10)
    to_wasm(model, tmp_path / "out", name="digits")
    assert (tmp_path / "out" / "digits-worklet.js").exists()
    program = """async (samples) => {
        const stream = loadNow(await WebAssembly.compile(bytes)).stream(), sound = Float32Array.from(samples);
        const answers = [];
        for (let at = 0; at < sound.length; at += 128) answers.push(...stream.feed(sound.subarray(at, at + 128)));
        answers.push(...stream.finish());
        return answers.map((answer) => Array.from(answer.probabilities));
    }"""
    with opened(browser, tmp_path / "out" / "index.html", wait=ready) as page:
        found = np.array(page.evaluate(program, X[3].tolist()))
    assert np.allclose(found[-1], model.predict_proba([X[3]])[0], atol=1e-4)
    assert len(found) == len(LogMel(8000)(X[3]))


def ready(page):
    page.wait_for_selector("main[data-ready=yes]")


def test_what_is_refused(tmp_path, monkeypatch):
    net = GRU(3, 4)
    to_wasm(net, tmp_path / "out")
    with pytest.raises(UsageError, match="is not empty"):
        to_wasm(net, tmp_path / "out")
    to_wasm(net, tmp_path / "out", overwrite=True)
    stream = WasmStream(tmp_path / "out" / "gru.wasm", step_model_of(net))
    with pytest.raises(InputError, match="the input 'x' has 3 numbers; got 2"):
        stream.step(x=[1, 2])
    with pytest.raises(InputError, match="takes x; got y"):
        stream.step(y=[1, 2, 3])
    with pytest.raises(FileFormatError, match="not the WebAssembly of a model's step"):
        WasmStream(b"\0asm", step_model_of(net))
    with pytest.raises(FileFormatError, match="cannot be read"):
        WasmStream(tmp_path / "none.wasm", step_model_of(net))
    with pytest.raises(UsageError, match="reads a sequence from its end too"):
        to_wasm(GRU(3, 4, bidirectional=True), tmp_path / "other")
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "loopcell\[wasm\]"'):
        to_wasm(net, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_is_not_the_model_is_not_written(tmp_path, monkeypatch):
    def another(source, folder):
        return made(CSource(step_model_of(GRU(3, 4)), source.name, source.form), folder)

    made = build.compile_wasm
    monkeypatch.setattr("loopcell.export.wasm.export.compile_wasm", another)
    with pytest.raises(CheckFailed, match="the export does not compute what the model does"):
        to_wasm(GRU(3, 4), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_not_a_number_passes_and_stays_in_its_stream(tmp_path):
    net = GRU(3, 4)
    to_wasm(net, tmp_path / "out")
    stream, run = WasmStream(tmp_path / "out" / "gru.wasm", step_model_of(net)), StepRun(step_model_of(net))
    for one in ([0, 1, 2], [0, np.nan, 1], [0, 0, 0]):
        assert np.allclose(stream.step(x=one)["layer1"], run.step(x=one)["layer1"], atol=1e-6, equal_nan=True)
