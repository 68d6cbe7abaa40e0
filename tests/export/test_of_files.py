"""verify on what lies on the disk: each target equal to its model, and an error where it is another's or damaged."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from loopcell.errors import CheckFailed, FileFormatError, InputError
from loopcell.export import CForm, to_c, to_onnx, to_wasm, verify
from loopcell.export.drawn import drawn
from tests.export.c.models import HOUSE, network, step_model_of as steps_of, whole_model

NET = network("gru")
X = {"x": np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)}
FORMS = {
    "plain": CForm(),
    "a blob of int8": CForm(store="blob", weights="int8", simd="vectors"),
    "a library of Arduino": CForm(layout="arduino"),
    "fixed point": CForm(arithmetic="fixed", weights="int16"),
    "fixed point in a blob": CForm(arithmetic="fixed", weights="int16", store="blob"),
}


@pytest.fixture
def folder(tmp_path):
    if not HOUSE:
        pytest.skip("there is no C compiler")
    to_c(NET, tmp_path / "out", name="net", data=X, drift_steps=0)
    return tmp_path / "out"


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
@pytest.mark.parametrize("form", FORMS)
def test_a_folder_of_c(form, tmp_path):
    to_c(NET, tmp_path / "out", name="net", form=FORMS[form], data=X, drift_steps=0)
    tolerance = {"plain": 1e-5, "a library of Arduino": 1e-5, "a blob of int8": 0.02}.get(form, 2e-3)
    found = verify(NET, str(tmp_path / "out"), X, tolerance=tolerance)
    assert found.steps == 40
    assert found.errors.keys() == {"whole", "saved", "own offline", "own chunked", "own stepped"}
    assert (found.errors["whole"] > 1e-5) == (form not in ("plain", "a library of Arduino"))


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
def test_every_kind_of_stage_in_a_folder_of_c(tmp_path):
    model = whole_model()
    to_c(model, tmp_path / "out", name="net", drift_steps=0)
    assert verify(model, tmp_path / "out", drawn(model, 30)).errors.keys() == {"whole", "saved"}


@pytest.mark.parametrize("form", ["step", "sequence"])
def test_a_file_of_onnx(form, tmp_path):
    pytest.importorskip("onnxruntime")
    to_onnx(NET, tmp_path / "net.onnx", form=form)
    found = verify(NET, tmp_path / "net.onnx", X)
    assert {"stepped", "whole", "chunked", "own offline"} <= found.errors.keys()


def test_webassembly_in_its_folder_and_alone(tmp_path):
    pytest.importorskip("wasmtime")
    pytest.importorskip("ziglang")
    to_wasm(NET, tmp_path / "out", name="net")
    for path in (tmp_path / "out", tmp_path / "out" / "net.wasm"):
        assert {"stepped", "whole", "saved", "own offline"} <= verify(NET, path, X).errors.keys()


def test_the_export_of_other_weights_is_found(folder):
    with pytest.raises(CheckFailed, match=r"whole: the output 'layer2' is .* at step 1 of 40, and the model gives"):
        verify(network("gru", seed=1), folder, X)


NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?f\b")


@pytest.mark.parametrize(("size", "verdicts"), [(1e-7, {True}), (3e-5, {True, False}), (1e-3, {False}), (1.0, {False})])
def test_damage_is_found_by_the_export_itself_as_well_or_by_neither(size, verdicts, folder):
    code = folder / "net.c"
    whole, rng, found = code.read_text(encoding="utf-8"), np.random.default_rng(0), set()
    arrays = re.finditer(r"static const float \w+\[\d+\] = \{[^}]*\}", whole)
    numbers = [one for array in arrays for one in NUMBER.finditer(whole, array.start(), array.end())]
    weights = [one for one in numbers if float(one[0][:-1])]  # zeros fill up rows, and nothing reads them
    for place in rng.choice(len(weights), 4, replace=False):
        one = weights[place]
        damaged = f"{float(one[0][:-1]) + size:.9g}f"
        code.write_text(whole[: one.start()] + damaged + whole[one.end() :], encoding="utf-8")
        checked = (
            subprocess.run(
                ["make", "-C", folder, "check", f"CC={' '.join(HOUSE)}"], capture_output=True, check=False
            ).returncode
            == 0
        )
        assert passes(folder) == checked, (one[0], damaged)
        found.add(checked)
    assert found <= verdicts


def passes(folder):
    try:
        verify(NET, folder, X)
    except CheckFailed:
        return False
    return True


def test_a_state_that_gets_lost_is_found(folder):
    """Weights and steps are right, and what is saved is not what is loaded."""
    code = (folder / "net.c").read_text(encoding="utf-8")
    function = re.search(r"(int net_state_load\(.*?\n)(\s+return NET_OK;)", code, re.DOTALL)
    broken = code.replace(function[0], f"{function[1]}    state->layer1_h[0] += 1.0f;\n{function[2]}")
    (folder / "net.c").write_text(broken, encoding="utf-8")
    with pytest.raises(CheckFailed, match=r"saved: the output 'layer2' is .* at step 6 of 40"):
        verify(NET, folder, X)


def test_an_export_of_other_sizes_is_said(folder):
    other = network("gru", input_size=4)
    with pytest.raises(FileFormatError, match=r"is of another model: 'x' has 4 numbers, and there it has 3 numbers"):
        verify(other, folder, {"x": np.zeros((4, 4), np.float32)})
    with pytest.raises(FileFormatError, match=r"is of another model: 'x' has 2 numbers, and there"):
        verify(whole_model(), folder, drawn(whole_model(), 4))


def test_what_is_no_export_is_one_sentence(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "net.txt").write_text("x", encoding="utf-8")
    (tmp_path / "net.wasm").write_bytes(b"\0asm")
    for path, sentence in (
        ("empty", "is no export: it has neither one .h with its .c, nor one .wasm"),
        ("net.txt", "is no export: name the folder of to_c or to_wasm, a .wasm or a .onnx file"),
        ("no", "there is no "),
    ):
        with pytest.raises(FileFormatError, match=sentence):
            verify(NET, tmp_path / path, X)
    shutil.copy(folder / "net.h", folder / "other.h")
    with pytest.raises(FileFormatError, match="is no export: it has neither one"):
        verify(NET, folder, X)
    (folder / "other.h").unlink()
    (folder / "net.c").write_text("int broken(", encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"out does not compile: .*refused net\.c"):
        verify(NET, folder, X)
    (folder / "net.c").unlink()
    with pytest.raises(FileFormatError, match=r"net\.c cannot be read: No such file"):
        verify(NET, folder, X)


def test_data_that_do_not_fit(folder):
    with pytest.raises(InputError):
        verify(steps_of(NET), folder, {"y": X["x"]})


def test_data_without_a_step_prove_nothing(folder):
    with pytest.raises(InputError, match="a check needs at least one step"):
        verify(NET, folder, {"x": X["x"][:0]})


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
@pytest.mark.parametrize("at", [0, 40, -1])
def test_damaged_weights_in_a_file_are_said(at, tmp_path):
    to_c(NET, tmp_path / "out", name="net", form=CForm(store="blob"), drift_steps=0)
    (weights,) = (tmp_path / "out").glob("*.weights")
    content = bytearray(weights.read_bytes())
    content[at] ^= 1
    weights.write_bytes(content)
    with pytest.raises(FileFormatError, match="does not run: its header or its weights are damaged"):
        verify(NET, tmp_path / "out", X)
