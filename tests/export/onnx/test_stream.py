"""OnnxStream: the state stays, is saved, forked and reset; what is off is a sentence, and leaves the state."""

import json

import numpy as np
import onnx
import pytest
from onnx import helper

from loopcell.errors import FileFormatError, InputError, MissingExtraError
from loopcell.export.onnx import OnnxStream, to_onnx
from loopcell.export.onnx.write import onnx_model
from tests.export.onnx.models import model_of, network_of
from tests.export.onnx.test_forms import whole_inputs, whole_model

FORMS = ("step", "sequence")
X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture(params=FORMS)
def path(request, tmp_path):
    to_onnx(network_of("lstm"), tmp_path / "m.onnx", form=request.param)
    return tmp_path / "m.onnx"


def test_the_state_goes_on_from_call_to_call(path):
    one, two = OnnxStream(path), OnnxStream(path)
    whole = one.feed(x=X)["layer2"]
    steps = [two.step(x=row)["layer2"] for row in X]
    assert np.allclose(whole, steps, atol=1e-6)
    assert not np.allclose(steps[0], OnnxStream(path).step(x=X[1])["layer2"])
    assert two.steps == one.steps == 6
    two.reset()
    assert two.steps == 0
    assert np.array_equal(two.step(x=X[0])["layer2"], steps[0])


def test_a_saved_state_goes_on_elsewhere(path, tmp_path):
    one = OnnxStream(path)
    one.feed(x=X[:3])
    one.save(tmp_path / "s.state")
    expected = one.feed(x=X[3:])["layer2"]
    for form in FORMS:
        to_onnx(network_of("lstm"), tmp_path / "other.onnx", form=form)
        two = OnnxStream(tmp_path / "other.onnx")
        two.load(tmp_path / "s.state")
        assert two.steps == 3
        assert np.allclose(two.feed(x=X[3:])["layer2"], expected, atol=1e-6)


def test_a_fork_leaves_its_origin_alone(path):
    one = OnnxStream(path)
    one.feed(x=X[:2])
    two = one.fork()
    expected = one.step(x=X[2])["layer2"]
    two.feed(x=X[3:])
    assert np.array_equal(two.fork().step(x=X[0])["layer2"], two.step(x=X[0])["layer2"])
    one.reset()
    one.feed(x=X[:2])
    assert np.array_equal(one.step(x=X[2])["layer2"], expected)


def test_some_rows_start_afresh(path):
    stream, fresh = OnnxStream(path, rows=2), OnnxStream(path, rows=2)
    both = np.stack([X, X], 1)
    stream.feed(x=both)
    stream.reset([True, False])
    found, first = stream.step(x=both[0])["layer2"], fresh.step(x=both[0])["layer2"]
    assert np.array_equal(found[0], first[0])
    assert not np.allclose(found[1], first[1])
    with pytest.raises(InputError, match=r"rows= takes 2 truth values; got int64 \[2\]"):
        stream.reset([1, 0])


def test_states_of_others_are_refused(path, tmp_path):
    stream = OnnxStream(path)
    stream.save(tmp_path / "s.state")
    to_onnx(network_of("lstm", seed=1), tmp_path / "other.onnx")
    with pytest.raises(FileFormatError, match=r"s\.state is the state of another model"):
        OnnxStream(tmp_path / "other.onnx").load(tmp_path / "s.state")
    with pytest.raises(FileFormatError, match=r"another count of rows than 2"):
        OnnxStream(path, rows=2).load(tmp_path / "s.state")
    (tmp_path / "torn").write_bytes((tmp_path / "s.state").read_bytes()[:-8])
    with pytest.raises(FileFormatError, match="not a whole one"):
        stream.load(tmp_path / "torn")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "this model takes x; got nothing"),
        ({"x": X[0], "y": X[0]}, "this model takes x; got x, y"),
        ({"x": X}, r"the input 'x' must be \[3\]; got \[6, 3\]"),
        ({"x": ["a", "b", "c"]}, "the input 'x' must be numbers; got <U1"),
        ({"x": X[0] * 1j}, "the input 'x' must be numbers; got complex64"),
    ],
)
def test_a_step_that_makes_no_sense_leaves_the_state(path, inputs, message):
    stream = OnnxStream(path)
    stream.step(x=X[0])
    before = {name: value.copy() for name, value in stream.state.items()}
    with pytest.raises(InputError, match=message):
        stream.step(**inputs)
    assert all(np.array_equal(stream.state[name], before[name]) for name in before)
    assert stream.steps == 1


def test_a_chunk_is_taken_whole_or_not_at_all(path, monkeypatch):
    stream = OnnxStream(path)
    stream.feed(x=X[:2])
    before, calls, run = {name: value.copy() for name, value in stream.state.items()}, [], stream.file.run

    def fails_at_the_third(inputs, states):
        calls.append(1)
        if len(calls) == 3 or len(inputs["x"]) == 4:
            raise InputError("no memory")
        return run(inputs, states)

    monkeypatch.setattr(stream.file, "run", fails_at_the_third)
    with pytest.raises(InputError, match="no memory"):
        stream.feed(x=X[2:])
    assert stream.steps == 2
    assert all(np.array_equal(stream.state[name], before[name]) for name in before)


def test_half_precision_and_doubles_are_read_as_numbers(path):
    one, two = OnnxStream(path), OnnxStream(path)
    half = X[0].astype(np.float16)
    assert np.array_equal(one.step(x=half)["layer2"], two.step(x=half.astype(np.float64))["layer2"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("token", [6, -1])
def test_a_token_outside_of_the_table(form, token, tmp_path):
    to_onnx(whole_model(), tmp_path / "m.onnx", form=form)
    stream = OnnxStream(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=f"token {token} of 'token' is not one of 0 to 5"):
        stream.step(token=token, level=[0, 0])
    with pytest.raises(InputError, match="'token' must be whole numbers; got float64"):
        stream.step(token=1.0, level=[0, 0])
    with pytest.raises(InputError, match=r"as many steps; got \{'token': 3, 'level': 2\}"):
        stream.feed(token=[1, 2, 3], level=np.zeros((2, 2)))
    assert stream.steps == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_graph_itself_refuses_a_negative_token(form):
    """ONNX counts negative indices from the end, and other callers have no OnnxStream."""
    import onnxruntime

    content = onnx_model(whole_model(), form).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    shapes = {
        one.name: [one_axis if isinstance(one_axis, int) else 1 for one_axis in one.shape]
        for one in session.get_inputs()
    }
    given = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    given["token"] = np.zeros(shapes["token"], np.int64)
    session.run(None, given)
    given["token"] -= 1
    with pytest.raises(Exception, match="out of data bounds"):
        session.run(None, given)


def test_tokens_in_rows(tmp_path):
    to_onnx(whole_model(), tmp_path / "m.onnx")
    one, rows = OnnxStream(tmp_path / "m.onnx"), OnnxStream(tmp_path / "m.onnx", rows=3)
    given = whole_inputs(4)
    side_by_side = {name: np.stack([value] * 3, 1) for name, value in given.items()}
    assert np.allclose(rows.feed(**side_by_side)["shares"][:, 2], one.feed(**given)["shares"], atol=1e-6)


def test_files_that_are_none_of_ours(tmp_path):
    path = tmp_path / "m.onnx"
    made = onnx_model(model_of(network_of("gru")), "step")
    entries = {one.key: one.value for one in made.metadata_props}

    def written(changed):
        other = onnx.ModelProto()
        other.CopyFrom(made)
        helper.set_model_props(other, changed)
        path.write_bytes(other.SerializeToString())
        return path

    for changed, message in [
        ({}, "does not say which of its outputs are states, so a stream would lose them"),
        ({**entries, "loopcell.format": "2"}, "another version of loopcell's metadata than 1"),
        ({**entries, "loopcell.form": "both"}, "neither step nor sequence"),
        ({**entries, "loopcell.states": "[{"}, "damaged metadata"),
        ({**entries, "loopcell.states": "[]"}, "other inputs or outputs than it says"),
        ({**entries, "loopcell.states": entries["loopcell.states"].replace("zeros", "ones")}, "damaged metadata"),
        ({key: value for key, value in entries.items() if key != "loopcell.facts"}, "damaged metadata"),
    ]:
        with pytest.raises(FileFormatError, match=message):
            OnnxStream(written(changed))
    states = json.loads(entries["loopcell.states"])
    states[0]["size"] = 1 << 40
    with pytest.raises(FileFormatError, match="damaged metadata"):
        OnnxStream(written({**entries, "loopcell.states": json.dumps(states)}))
    path.write_bytes(b"no model")
    with pytest.raises(FileFormatError, match="cannot be run by ONNX Runtime"):
        OnnxStream(path)
    with pytest.raises(FileFormatError, match="cannot be read: No such file"):
        OnnxStream(tmp_path / "none.onnx")


def test_rows_and_threads_are_counts(path):
    with pytest.raises(InputError, match="rows=0 must be a whole number of at least 1"):
        OnnxStream(path, rows=0)
    with pytest.raises(InputError, match="threads=True must be"):
        OnnxStream(path, threads=True)


def test_without_onnxruntime_the_extra_is_named(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r'onnxruntime: pip install "loopcell\[onnx\]"'):
        OnnxStream(path)


def test_a_bit_that_flipped_in_a_saved_state_is_found(path, tmp_path):
    one, file = OnnxStream(path), tmp_path / "s.state"
    one.feed(x=X)
    one.save(file)
    content = file.read_bytes()
    first = 8 + int.from_bytes(content[:8], "little")
    assert first < len(content)
    for place in range(first, len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(FileFormatError, match=r"s\.state is damaged"):
            one.load(file)
