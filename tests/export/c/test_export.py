"""Exports to C as a user makes them: the folder, `make check`, the report, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch

from loopcell import GRU, LSTM
from loopcell.backends.c.toolchain import target as toolchain
from loopcell.errors import CheckFailed, InputError, UsageError
from loopcell.export import CForm, to_c
from loopcell.export.c import export as module
from loopcell.export.c.check_program import recorded_steps, speed_steps
from loopcell.export.c.compiled import STRICT
from loopcell.export.c.report import stack_bytes
from loopcell.export.step_model import Output, Quantity, StepModel, step_model_of
from loopcell.export.step_model.formulas import linear_stage
from loopcell.export.step_model.identity import identity
from tests.export.c.models import GCC, HOUSE, network, prove, source_of, whole_model

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
FILES = ["Makefile", "REPORT.md", "check.c", "net.c", "net.h", "net.hpp", "report.json"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of an exported model, and its report; not to be changed."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    return folder, to_c(whole_model(), folder, name="net", form=CForm(simd="vectors"))


def test_the_folder_has_all_that_a_user_needs(exported):
    folder, report = exported
    assert names(folder) == FILES
    assert "wav" not in (folder / "Makefile").read_text(encoding="utf-8")
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == report.as_json()
    page = (folder / "REPORT.md").read_text(encoding="utf-8")
    assert f"| parameters | {report.parameters:,} |" in page
    assert f"over {report.verified_steps} steps the C differs" in page


def test_the_report_has_the_figures_of_the_model(exported):
    _, report = exported
    first, second = 4 * 6 * (9 + 6), 4 * 6 * (6 + 6)
    assert report.multiply_adds == first + second + 4 * 6 + 2 * 2
    assert report.parameters == step_model_of(whole_model()).parameters
    assert report.state_bytes == 4 * (9 + 1 + 4 * 6)
    assert report.saved_state_bytes == report.state_bytes + 20
    assert report.weight_bytes >= 4 * report.parameters
    assert report.verified_steps == 64
    assert 0 < report.largest_error <= report.allowed_error
    assert report.microseconds > 0
    assert list(report.drift) == [1, 10, 100, 1000]
    assert 0 < report.drift[1] <= report.drift[1000] < 1e-4


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_check_passes_and_finds_a_wrong_weight(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported[0], folder)
    make = ["make", "-C", str(folder), "check", f"CC={HOUSE[0]}" if len(HOUSE) == 1 else f"CC={' '.join(HOUSE)}"]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "net: 64 steps, largest error" in done.stdout
    code = (folder / "net.c").read_text(encoding="utf-8")
    head, _, tail = code.partition("scores_head_bias[4] = {\n    ")
    (folder / "net.c").write_text(
        f"{head}scores_head_bias[4] = {{\n    9.0f, {tail.partition(', ')[2]}", encoding="utf-8"
    )
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "FAILED" in done.stdout


def test_the_equations_stand_in_the_code_as_their_author_wrote_them(tmp_path):
    to_c(GRU(3, 5), tmp_path / "gru")
    code = (tmp_path / "gru" / "gru.c").read_text(encoding="utf-8")
    for line in GRU(3, 5).spec.cell.text().splitlines():
        assert f" *     {line}\n" in code
    for name in ("r", "z", "n"):
        assert f"const float {name} = " in code


@pytest.mark.skipif(GCC is None, reason="asks GCC")
def test_the_stack_is_no_more_than_the_report_says(exported, tmp_path):
    folder, report = exported
    source = source_of(whole_model(), "vectors")
    shutil.copy(folder / "net.h", tmp_path)
    shutil.copy(folder / "net.c", tmp_path)
    for flags in (("-O0",), module.SMALL):
        found = stack_bytes(source, (GCC, *STRICT, *flags), tmp_path)
        assert source.buffer_bytes <= found < source.buffer_bytes + 2_000
    if "gcc" in report.compiler or "cc" in report.compiler.split()[0]:
        assert report.stack_bytes == found


@pytest.mark.skipif(GCC is None or shutil.which("nm") is None, reason="asks GCC and nm")
@pytest.mark.parametrize("level", ["-O0", "-O3"])
def test_the_code_calls_nothing_and_has_no_variables(exported, tmp_path, level):
    made = tmp_path / "net.o"
    flags = ("-ffreestanding", "-fno-builtin", "-fno-common")
    subprocess.run([GCC, *STRICT, level, *flags, "-c", str(exported[0] / "net.c"), "-o", str(made)], check=True)
    symbols = [line.split() for line in subprocess.check_output(["nm", str(made)], text=True).splitlines()]
    undefined = {words[-1] for words in symbols if words[-2] == "U"} - {"_GLOBAL_OFFSET_TABLE_"}
    variables = [words[-1] for words in symbols if words[-2] in "dDbBcC"]
    shown = {words[-1] for words in symbols if words[-2] == "T"}
    assert undefined <= {"memset", "memcpy"}  # which a compiler may write by itself, and every one of them has
    assert not variables
    assert shown == {f"net_{word}" for word in ("init", "reset", "step", "state_save", "state_load")}


@pytest.mark.skipif(GCC is None, reason="asks GCC")
@pytest.mark.parametrize(
    ("simd", "weights"),
    [("plain", "float32"), ("vectors", "float32"), ("vectors", "bfloat16"), ("plain", "int8"), ("vectors", "int8")],
)
def test_no_undefined_behaviour_for_any_input(simd, weights, tmp_path):
    """Under sanitizers, with bits drawn at random for every input: NaN, infinities, tokens of all sizes, bad states."""
    source = source_of(whole_model(), simd, weights)
    (tmp_path / "net.h").write_text(source.header(), encoding="utf-8")
    (tmp_path / "net.c").write_text(source.code(), encoding="utf-8")
    (tmp_path / "fuzz.c").write_text(FUZZ, encoding="utf-8")
    made = tmp_path / "fuzz"
    flags = ("-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    subprocess.run([GCC, *flags, str(tmp_path / "net.c"), str(tmp_path / "fuzz.c"), "-o", str(made)], check=True)
    done = subprocess.run([str(made)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused, taken = map(int, done.stdout.split())
    assert refused > 1_000
    assert taken > 1_000


FUZZ = """
#include <stdio.h>
#include <string.h>
#include "net.h"

static uint32_t seed = 1;

static uint32_t draw(void) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

int main(void) {
    net_model model;
    net_state state;
    int refused = 0, taken = 0;
    if (net_init(&model)) return 1;
    for (int round = 0; round < 20000; round++) {
        float x[NET_X], shares[NET_SHARES], aside[NET_ASIDE];
        unsigned char buffer[NET_STATE_BYTES];
        if (round % 50 == 0) net_reset(&state);
        for (int place = 0; place < NET_X; place++) {
            const uint32_t bits = round % 2 ? draw() : draw() & 0x3fffffffu;
            memcpy(&x[place], &bits, 4);
        }
        const int32_t token = (int32_t)draw() % (round % 3 ? 9 : 2147483647);
        const int result = net_step(&model, &state, token, x, shares, aside);
        if ((result == NET_OK) != (token >= 0 && token < 7)) return 2;
        result == NET_OK ? taken++ : refused++;
        net_state_save(&state, buffer);
        buffer[draw() % NET_STATE_BYTES] ^= (unsigned char)(1 + draw() % 255);
        if (net_state_load(&state, buffer, NET_STATE_BYTES) != NET_BAD_STATE) return 3;
        if (net_state_load(&state, buffer, draw() % NET_STATE_BYTES) != NET_BAD_STATE) return 4;
    }
    printf("%d %d\\n", refused, taken);
    return 0;
}
"""


@pytest.mark.skipif(GCC is None, reason="asks GCC")
@pytest.mark.parametrize("simd", ["plain", "vectors"])
@pytest.mark.parametrize("columns", [1, 517, 5000])
def test_sums_of_whole_numbers_never_overflow(columns, simd, tmp_path):
    """Weights and inputs that are all as large as they can be, under the sanitizer that stops at an overflow."""
    x = Quantity("x", columns)
    ones = linear_stage("scores", x, np.ones((2, columns)), np.zeros(2))
    model = StepModel("sums", (x,), (ones,), (Output("scores"),))
    data = {"x": np.float32([np.ones(columns), -np.ones(columns), np.full(columns, 1e38) / columns])}
    flags = ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    _, recorded = prove(source_of(model, simd, "int8"), tmp_path, GCC, *flags, data=data)
    assert np.allclose(recorded.answers["scores"][:2, 0], [columns, -columns], rtol=1e-6)


def test_a_state_of_another_model_is_refused():
    assert identity(step_model_of(network("gru"))) != identity(step_model_of(network("gru", seed=1)))
    net = network("gru")
    assert identity(step_model_of(net)) == identity(step_model_of(net))


# --- what is refused ------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"is not empty; name another, or say overwrite=True"):
        to_c(GRU(3, 5), tmp_path, name="net")
    assert names(tmp_path) == ["mine.txt"]
    to_c(GRU(3, 5), tmp_path, name="net", overwrite=True)
    assert names(tmp_path) == sorted([*FILES, "mine.txt"])


def test_an_export_that_is_not_the_model_is_not_written(tmp_path, monkeypatch):
    from loopcell.export.c import equations

    monkeypatch.setitem(equations.SPELLING, "tanh", "f_sigmoid({0})")
    with pytest.raises(CheckFailed, match="does not compute what the model does"):
        to_c(GRU(3, 5), tmp_path / "out")
    assert not names(tmp_path)


@pytest.mark.parametrize(
    ("net", "arguments", "message"),
    [
        (GRU(3, 5, bidirectional=True), {}, "a bidirectional network reads a sequence from its end too"),
        (GRU(3, 5), {"name": "double"}, "'double' is a word of C and cannot be a model's name"),
        (GRU(3, 5), {"name": "Check"}, "'check' is what a file beside the model is called.*say name='check_model'"),
        (GRU(3, 5), {"name": "run"}, "'run' is what a file beside the model is called"),
        (GRU(3, 5), {"name": "report"}, "'report' is what a file beside the model is called"),
        (GRU(3, 5), {"name": "Makefile"}, "'makefile' is what a file beside the model is called"),
        (GRU(3, 5), {"form": CForm(simd="mmx")}, "there is no simd='mmx'; there are plain and vectors"),
        (
            LSTM(3, 500),
            {"form": CForm(stack_limit=10_000)},
            "a step of lstm keeps 16,000 bytes in arrays on the stack, more than the 10,000",
        ),
        (torch.nn.Linear(2, 2), {}, "what is exported is a recurrent network or a trained estimator, not a Linear"),
    ],
)
def test_requests_that_make_no_sense(net, arguments, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        to_c(net, tmp_path / "out", **arguments)
    assert not names(tmp_path)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    net = GRU(3, 5)
    with torch.no_grad():
        net.bias_hh_l0[2] = torch.nan
    with pytest.raises(UsageError, match="hold a number that is not finite"):
        to_c(net, tmp_path / "out")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": np.zeros((4, 3))}, "the data of a model that reads x has these names; got y"),
        ({"x": np.zeros((4, 2))}, r"the data of 'x' have the shape \[T, 3\] with T at least 1; got \[4, 2\]"),
        ({"x": np.zeros((0, 3))}, r"with T at least 1; got \[0, 3\]"),
    ],
)
def test_data_that_do_not_fit_are_refused(data, message, tmp_path):
    with pytest.raises(InputError, match=message):
        to_c(GRU(3, 5), tmp_path / "out", data=data)


def test_without_a_compiler_nothing_is_said_to_be_proven(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "target", lambda: None)
    with pytest.raises(UsageError, match=r"there is no C compiler to verify the export with: .*say verify=False"):
        to_c(GRU(3, 5), tmp_path / "out")
    report = to_c(GRU(3, 5), tmp_path / "out", verify=False)
    assert report.verified_steps == 0
    assert "not verified" in report.page()
    assert toolchain.ADVICE


def test_int8_that_is_off_names_the_inputs_of_unlike_sizes(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3)) * [1e5, 1, 1]
    net = GRU(3, 5)
    with torch.no_grad():
        net.weight_ih_l0[:, 0] *= 1e-7  # its weights are small, so that floats have no trouble with it
    with pytest.raises(CheckFailed) as found:
        to_c(net, tmp_path / "out", form=CForm(weights="int8"), data={"x": x}, drift_steps=0)
    assert "int8 rounds the numbers of a step relative to the largest of them: x[0] reaches" in str(found.value)
    assert "bring inputs to like sizes; or take weights='bfloat16'" in str(found.value)


def test_names_that_are_others_in_c_are_said(tmp_path):
    x = Quantity("Größe", 2)
    stage = linear_stage("int", x, np.ones((2, 2)), np.zeros(2))
    other = linear_stage("sum", x, np.ones((2, 2)), np.zeros(2))
    model = StepModel("Mein Modell", (x,), (stage, other), (Output("int"), Output("sum")))
    report = to_c(model, tmp_path / "out", drift_steps=0)
    assert report.renamed["Mein Modell"] == "mein_modell"
    assert set(report.renamed) == {"Mein Modell", "Größe", "int"}
    assert f"- 'Größe' is called {report.renamed['Größe']} in C" in report.page()


def test_drift_is_against_the_weights_in_full(tmp_path):
    net = network("gru", 1)
    full = to_c(net, tmp_path / "full", drift_steps=20)
    narrow = to_c(net, tmp_path / "narrow", form=CForm(weights="int8"), drift_steps=20)
    assert full.drift[20] < 1e-6
    assert narrow.drift[20] > 1e-4
    assert narrow.largest_error < narrow.narrowing
    assert "With weights in int8" in narrow.page()


def test_the_test_program_is_small_and_its_measurement_short():
    source = source_of(network("gru", 1, input_size=500))
    assert recorded_steps(source, 64) == 20_000 // 505
    assert speed_steps(10) == 199_600
    assert speed_steps(10**9) == 100
