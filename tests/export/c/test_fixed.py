"""Fixed point: the C has the bits of the whole numbers in Python, and these are near the model."""

from __future__ import annotations

import random
import shutil
import subprocess

import numpy as np
import pytest
import torch

from loopcell import GRU, cells
from loopcell.errors import CheckFailed, InputError, UsageError
from loopcell.export import CForm, to_c
from loopcell.export.c.compiled import STRICT, compile_program
from loopcell.export.c.fixed.record import fixed_source, record_fixed, run_fixed
from loopcell.export.drawn import drawn
from loopcell.export.step_model import Output, Quantity, StepCheck, StepModel, step_model_of
from loopcell.export.step_model.formulas import linear_stage, scale_stage
from tests.export.c.models import CLANG, GCC, HOUSE, network, sound_model, whole_model
from tests.laws.drawn import cell_of, draw

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def fixed(model, weights="int16", data=None, steps=40):
    step = step_model_of(model)
    source, inputs = fixed_source(step, "net", weights, "arrays", drawn(step, steps) if data is None else data)
    return source, inputs


def built(source, folder, *command, runner=()):
    (folder / "net.h").write_text(source.header(), encoding="utf-8")
    (folder / "net.c").write_text(source.code(), encoding="utf-8")
    return compile_program(source, folder, (*command, *STRICT), runner)


def demand_same_bits(source, inputs, program):
    """Numbers that were seen, and numbers of all sizes, which clip wherever they can."""
    numbers = source.fixed.whole_inputs(inputs)
    rng = np.random.default_rng(5)
    wild = {
        name: values if source.model.quantities[name].kind == "token" else rng.integers(-32768, 32768, values.shape)
        for name, values in numbers.items()
    }
    for given in (numbers, wild):
        expected = run_fixed(source.fixed, given)
        for again in (0, 7) if given is wild else (0,):
            found = program.steps({name: np.asarray(values) for name, values in given.items()}, again)
            for name, values in expected.items():
                assert np.array_equal(found[name], values)


def of_cell(name, steps=15):
    """A network of a cell, and data that are no times before 0."""
    torch.manual_seed(0)
    net = network(name, 1 + len(name) % 2, hidden_size=9)
    return net, {one: np.abs(values) for one, values in drawn(step_model_of(net), steps).items()}


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_has_the_bits_of_python(name, tmp_path):
    net, data = of_cell(name)
    weights = ("int16", "int8")[len(name) // 2 % 2]
    source, inputs = fixed(net, weights, data)
    demand_same_bits(source, inputs, built(source, tmp_path, *HOUSE, "-O0"))
    assert record_fixed(source, StepCheck(inputs), inputs).narrowing < {"int16": 1e-3, "int8": 0.05}[weights]


@pytest.mark.parametrize("weights", ["int16", "int8"])
@pytest.mark.parametrize("compiler", [GCC, CLANG])
def test_a_model_with_every_kind_of_stage(compiler, weights, tmp_path):
    if compiler is None:
        pytest.skip("that compiler is not there")
    source, inputs = fixed(whole_model(), weights)
    demand_same_bits(source, inputs, built(source, tmp_path, compiler, *(SANITIZED if compiler == GCC else ("-O2",))))
    assert record_fixed(source, StepCheck(inputs), inputs).narrowing < {"int16": 1e-3, "int8": 0.02}[weights]


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_drawn_equations_have_the_bits_of_python(seed, tmp_path):
    net = network(cell_of(draw(random.Random(seed))), hidden_size=3 + seed % 7)
    try:
        source, inputs = fixed(net, ("int16", "int8")[seed % 2], steps=12)
    except (UsageError, InputError) as error:
        pytest.skip(str(error))  # too large for fixed point, or nothing that is computed in it
    demand_same_bits(source, inputs, built(source, tmp_path, *HOUSE, "-O0"))


@pytest.mark.parametrize(("weights", "columns"), [("int16", 3000), ("int8", 516), ("int8", 517), ("int8", 3000)])
def test_sums_never_overflow(weights, columns, tmp_path):
    """Weights and inputs that are all as large as they can be, under the sanitizer that stops at an overflow."""
    x = Quantity("x", columns)
    model = StepModel("sums", (x,), (linear_stage("y", x, np.ones((2, columns)), np.zeros(2)),), (Output("y"),))
    data = {"x": np.float32([np.full(columns, 0.79), np.full(columns, -0.79)])}
    source, inputs = fixed(model, weights, data)
    demand_same_bits(source, inputs, built(source, tmp_path, GCC or HOUSE[0], *SANITIZED))


def test_error_and_drift_are_those_of_the_whole_numbers(tmp_path):
    net = network("gru", 1)
    data = drawn(step_model_of(net), 60)
    wide = to_c(net, tmp_path / "wide", name="net", form=CForm(arithmetic="fixed", weights="int16"), data=data)
    narrow = to_c(net, tmp_path / "narrow", name="net", form=CForm(arithmetic="fixed", weights="int8"), data=data)
    assert wide.largest_error == narrow.largest_error == 0
    assert 0 < wide.narrowing < 2e-4 < narrow.narrowing < 0.02
    assert wide.drift[1000] < 3e-4
    assert wide.state_bytes == 2 * 5
    assert wide.buffer_bytes <= wide.stack_bytes
    assert "the bits of the same whole numbers in Python" in narrow.page()
    assert "off by at most" in narrow.page()
    assert "float" not in (tmp_path / "narrow" / "net.c").read_text(encoding="utf-8")


def test_a_state_of_other_formats_is_of_another_model():
    net = network("gru", 1)
    data = drawn(step_model_of(net), 30)
    wider = {"x": data["x"] * 20}
    identities = {fixed(net, weights, given)[0].identity for weights in ("int16", "int8") for given in (data, wider)}
    assert len(identities) == 4
    assert fixed(net, "int8", data)[0].identity in identities


# --- what leaves the range ------------------------------------------------------------------------------------------

CLIPS = """
#include "net.h"
int main(void) {
    net_model model;
    net_state state;
    int16_t x[NET_X] = {0}, y[NET_Y];
    if (net_init(&model)) return 1;
    net_reset(&state);
    if (net_step(&model, &state, x, y) != NET_OK) return 2;
    for (int place = 0; place < NET_X; place++) x[place] = 32767;
    if (net_step(&model, &state, x, y) != NET_CLIPPED) return 3;
    for (int place = 0; place < NET_X; place++) x[place] = 0;
    return net_step(&model, &state, x, y) == NET_OK ? 0 : 4;
}
"""


def test_a_number_beyond_its_range_is_clipped_and_said(tmp_path):
    """An input that is large in all numbers at once: each has room, and their sum has not."""
    x = Quantity("x", 8)
    rng = np.random.default_rng(0)
    data = {"x": np.float32(np.eye(8)[rng.integers(0, 8, 50)])}
    model = StepModel("net", (x,), (linear_stage("y", x, np.ones((2, 8)), np.zeros(2)),), (Output("y"),))
    source, _ = fixed(model, "int16", data)
    (tmp_path / "net.h").write_text(source.header(), encoding="utf-8")
    (tmp_path / "net.c").write_text(source.code(), encoding="utf-8")
    (tmp_path / "main.c").write_text(CLIPS, encoding="utf-8")
    files = [str(tmp_path / name) for name in ("net.c", "main.c")]
    subprocess.run([*HOUSE, *STRICT, *files, "-o", str(tmp_path / "main")], check=True)
    assert subprocess.run([str(tmp_path / "main")], check=False).returncode == 0


# --- processors without an FPU --------------------------------------------------------------------------------------

MACHINES = {"cortex-m0": "microbit", "cortex-m4": "mps2-an386"}
BOOT = """
extern int _start(void);
__attribute__((section(".vectors"), used))
const void *const vectors[] = {(const void *)0x20004000, (const void *)_start};
"""


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="asks the compiler for microcontrollers")
@pytest.mark.parametrize("cpu", MACHINES)
def test_a_microcontroller_without_an_fpu_has_the_same_bits(cpu, tmp_path):
    model = whole_model()
    form = CForm(arithmetic="fixed", weights="int8")
    to_c(model, tmp_path, name="net", form=form, data=drawn(model, 64), drift_steps=0)
    machine = (f"-mcpu={cpu}", "-mthumb", "-mfloat-abi=soft", "-Os")
    made = tmp_path / "net.o"
    subprocess.run(["arm-none-eabi-gcc", *STRICT, *machine, "-c", str(tmp_path / "net.c"), "-o", str(made)], check=True)
    lines = subprocess.check_output(["arm-none-eabi-nm", str(made)], text=True).splitlines()
    undefined = {line.split()[-1] for line in lines if line.split()[-2] == "U"}
    assert undefined <= WHOLE | {"memset", "memcpy"}  # of the compiler's helpers, none for floats
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("the emulator of whole machines is not there")
    (tmp_path / "boot.c").write_text(BOOT, encoding="utf-8")
    files = [str(tmp_path / name) for name in ("boot.c", "net.c", "check.c")]
    places = ("--specs=rdimon.specs", "-Wl,--section-start=.vectors=0", "-Wl,-Tdata=0x20000000", "-lm")
    program = str(tmp_path / "check")
    subprocess.run(["arm-none-eabi-gcc", "-std=gnu99", *machine, *files, *places, "-o", program], check=True)
    command = ["qemu-system-arm", "-M", MACHINES[cpu], "-nographic", "-semihosting", "-kernel", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert "net: 64 steps, largest error 0: OK" in done.stdout


_HELPERS = ("idiv", "idivmod", "uidiv", "uidivmod", "ldivmod", "lasr", "llsl", "llsr", "lmul")
WHOLE = {f"__aeabi_{name}" for name in _HELPERS}


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (CForm(arithmetic="fixed", weights="int8"), "fixed point needs data: where the point of each number is"),
        (CForm(arithmetic="q15"), "there is no arithmetic='q15'; there are float and fixed"),
        (CForm(arithmetic="fixed", weights="int8", simd="vectors"), "fixed point is written in plain C"),
    ],
)
def test_forms_that_there_are_not(form, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        to_c(network("gru", 1), tmp_path / "out", form=form)


def test_weights_of_floats_are_refused():
    with pytest.raises(UsageError, match="fixed point has weights='int16' or weights='int8'; got weights='float32'"):
        fixed(network("gru", 1), "float32")


@pytest.mark.parametrize("weights", ["int16", "int8"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value, weights):
    net = GRU(3, 5)
    with torch.no_grad():
        net.weight_hh_l0[2] = value
    with pytest.raises(UsageError, match=r"hold a number that is not finite"):
        fixed(net, weights)


def test_missing_values_and_sounds_are_refused():
    x = np.zeros((5, 3), np.float32)
    x[2, 1] = np.nan
    with pytest.raises(InputError, match="the data of 'x' have a number that is missing or not finite"):
        fixed(network("gru", 1), data={"x": x})
    with pytest.raises(UsageError, match=r"fixed point has no stage such as 'bands' \(MelBands\): compute it before"):
        fixed(sound_model())


def test_numbers_of_very_different_size_are_refused_with_the_cause():
    rng = np.random.default_rng(0)
    data = {"x": (rng.normal(size=(50, 3)) * [1e4, 1, 0.1]).astype(np.float32)}
    with pytest.raises(InputError, match=r"x\[1\] varies by .* bring the numbers of an input to like sizes first"):
        fixed(network("gru", 1), data=data)


def test_numbers_without_room_are_refused():
    x = Quantity("x", 2)
    scaled = scale_stage("y", x, np.zeros(2, np.float32), np.full(2, 1e-9, np.float32))
    model = StepModel("net", (x,), (scaled,), (Output("y"),))
    with pytest.raises(UsageError, match=r"reach .*, and fixed point has room for"):
        fixed(model, data={"x": np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)})


def test_what_is_not_the_model_any_more_is_not_written(tmp_path, monkeypatch):
    from loopcell.export.c.fixed import run

    monkeypatch.setitem(run.ARITHMETIC, "add", np.subtract)
    with pytest.raises(CheckFailed, match="in fixed point with weights='int16' the answers are off by"):
        to_c(
            network("gru", 1), tmp_path / "out", form=CForm(arithmetic="fixed", weights="int16"),
            data={"x": np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)},
        )  # fmt: skip


def test_c_that_differs_by_a_bit_is_not_written(tmp_path, monkeypatch):
    from loopcell.export.c.fixed import equations

    monkeypatch.setitem(equations.SPELLING, "sub", "{0} - {1} + 64")
    with pytest.raises(CheckFailed, match="whole numbers are equal or wrong"):
        to_c(
            network("gru", 1), tmp_path / "out", form=CForm(arithmetic="fixed", weights="int16"),
            data={"x": np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)},
        )  # fmt: skip


def test_a_blob_of_whole_numbers(tmp_path):
    net = network("lstm", 1)
    form = CForm(arithmetic="fixed", weights="int8", store="blob")
    report = to_c(net, tmp_path, name="net", form=form, data=drawn(step_model_of(net), 30), drift_steps=0)
    assert report.largest_error == 0
    assert (tmp_path / "net.weights").exists()
