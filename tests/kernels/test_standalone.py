"""Kernels outside of Python: under address and undefined-behaviour sanitizers, and on another processor."""

from __future__ import annotations

import shutil
import subprocess
from array import array
from dataclasses import replace

import pytest
import torch

from benchmarks.drawn_products import precision_of
from loopcell.backends.c.launch.arguments import DIRECT, PACKED
from loopcell.backends.c.toolchain.target import FLAGS, target
from loopcell.runtime import narrow_step
from tests.kernels.standalone import Program, recorded
from tests.kernels.test_laws import ALL
from tests.laws.table import case

# No optimisation: a sanitizer then sees every step, and what it is told to watch is compiled in seconds.
SANITIZED = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ARM = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"

SINGLE, DOUBLE = torch.float32, torch.float64
CALLS = [
    ("lstm", SINGLE),
    ("lstm", DOUBLE),
    ("gru", SINGLE),
    ("lstm_layer_norm", SINGLE),
    ("lstm_projected", SINGLE),
    ("zoneout", SINGLE),
]
NARROW = [("lstm", SINGLE)]


def recordings(name, dtype):
    """Calls of odd sizes: units past a vector, one step of one row, rows of no steps; resets, training, inference."""
    with recorded() as calls:
        for sizes in ({"steps": 1, "batch": 1}, {"steps": 6, "batch": 7}):
            tried = case(ALL[name], input_size=3, hidden_size=37, **sizes)
            net = tried.net(dtype=dtype).train()
            x, state = tried.inputs().to(dtype).requires_grad_(), tried.state(net).to(dtype)
            for masks in ({}, {"lengths": tried.lengths(), "reset": tried.reset()}):
                y, final = net(x, state, **masks)
                (y.square().sum() + final.h.sum()).backward()
            with torch.no_grad():
                net(x, state, lengths=tried.lengths())
    # On tiles there are also the products over more rows than a few.
    assert {call.function for call in calls} - {"large_products"} == {
        "forward",
        "forward_and_keep",
        "reverse",
        "outer_products",
    }
    assert all(call.expected() for call in calls)
    return calls


def narrow_recordings(name, width):
    """Calls of steps with narrow weights: rows that fill no block, units and depths that fill no vector and no word."""
    with recorded() as calls:
        for batch in (1, 7):
            tried = case(ALL[name], input_size=3, hidden_size=37, steps=1, batch=batch)
            net = tried.net(dtype=torch.float32)
            executable, states = net.spec.executables[0], [state[0].float() for state in tried.state(net).values()]
            step = narrow_step(executable, tried.inputs().float(), states, net.sources(0, 0), width, {})
            arguments = step.forward.arguments
            fields, keep_alive = arguments.begin(step.launch, step.tensors)
            results = [torch.zeros(batch, size) for _, size in (*step.forward.by_step, *step.forward.states)]
            for (place, size), result in zip((*step.forward.by_step, *step.forward.states), results, strict=True):
                arguments.put(fields, place, result.data_ptr(), size)
            fields[DIRECT], fields[PACKED] = 0, 1
            fields[-len(step.packs) :] = array("q", [pack.data_ptr() for pack in step.packs])
            arguments.run(fields)
            del keep_alive
    assert [call.function for call in calls] == ["forward"] * 2
    return calls


@pytest.fixture(scope="module")
def gcc(tmp_path_factory):
    """gcc, where the programs that it sanitizes can be linked and run."""
    command, folder = shutil.which("gcc"), tmp_path_factory.mktemp("sanitized")
    if command is None:
        pytest.skip("there is no gcc")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    made = [command, *SANITIZED, str(folder / "empty.c"), "-o", str(folder / "empty")]
    for words in (made, [str(folder / "empty")]):
        if (ran := subprocess.run(words, capture_output=True, text=True, check=False)).returncode:
            pytest.skip(f"gcc's sanitizers do not work here: {ran.stderr[:300]}")
    return command


@pytest.mark.parametrize(
    ("width", "name", "dtype"),
    [(width, *call) for width, calls in (("native", CALLS), ("avx2", NARROW), ("plain", NARROW)) for call in calls],
)
def test_no_step_past_the_end_and_nothing_undefined(width, name, dtype, gcc, aimed, tmp_path):
    aimed(width, "gcc")
    calls = recordings(name, dtype)
    program = Program.of(calls, [gcc, *target().flags, *SANITIZED], tmp_path)
    for call in calls:
        program.agrees(call)


@pytest.mark.parametrize("vectors", ["native", "avx2", "plain"])
@pytest.mark.parametrize("width", ["bf16", "int8"])
def test_narrow_weights_are_read_as_far_as_they_go(width, vectors, gcc, aimed, tmp_path):
    aimed(vectors, "gcc")
    calls = narrow_recordings("gru_lets_before", width)
    program = Program.of(calls, [gcc, *target().flags, *SANITIZED], tmp_path)
    for call in calls:
        program.agrees(call)


def test_tiles_are_read_and_written_as_far_as_they_go(gcc, aimed, tmp_path, monkeypatch):
    """On the model of AMX, split, which reads most: whole tiles past the last row stay within the kernel's memory."""
    monkeypatch.setenv("LOOPCELL_BF16", "model")
    aimed("native", "gcc")
    with precision_of("high"):
        calls = recordings("lstm", SINGLE)
    assert "tile_products(" in calls[0].source
    program = Program.of(calls, [gcc, *target().flags, *SANITIZED], tmp_path)
    for call in calls:
        program.agrees(call)


def test_a_step_past_the_end_would_be_noticed(gcc, aimed, tmp_path):
    aimed("native", "gcc")
    calls = recordings("gru", SINGLE)
    program = Program.of(calls, [gcc, *target().flags, *SANITIZED], tmp_path)
    call = max(calls, key=lambda call: len(call.file()))
    floats = [number for number, region in enumerate(call.regions) if region.dtype is SINGLE]
    noticed = 0
    for number in floats:
        regions = list(call.regions)
        regions[number] = replace(regions[number], before=regions[number].before[:-4])
        noticed += "AddressSanitizer: heap-buffer-overflow" in program.run(replace(call, regions=regions)).stderr
    assert noticed >= 3  # not all: a call need not touch the last number of everything


@pytest.fixture
def arm():
    command, emulator = shutil.which(ARM), shutil.which(EMULATOR)
    if command is None or emulator is None:
        pytest.skip(f"this needs {ARM} and {EMULATOR}")
    return command, emulator


@pytest.mark.parametrize(("name", "dtype"), CALLS)
def test_another_processor_gives_the_same(name, dtype, arm, aimed, tmp_path):
    """Vectors of plain C are as wide as those of NEON, so the recorded calls are those that a Python there makes."""
    compiler, emulator = arm
    aimed("plain")
    calls = recordings(name, dtype)
    program = Program.of(calls, [compiler, *FLAGS, "-static"], tmp_path, (emulator,))
    for call in calls:
        program.agrees(call)


@pytest.mark.parametrize(("width", "flags"), [("bf16", ()), ("int8", ()), ("int8", ("-march=armv8.2-a+dotprod",))])
def test_another_processor_gives_the_same_with_narrow_weights(width, flags, arm, aimed, tmp_path):
    """With its dot products, whose digits are of 7 bits, up to what operands of 14 bits differ from those of 16."""
    compiler, emulator = arm
    aimed("plain")
    calls = narrow_recordings("lstm", width)
    program = Program.of(calls, [compiler, *FLAGS, *flags, "-static"], tmp_path, (emulator,))
    for call in calls:
        program.agrees(call, 5e-4 if flags else 0.0)


def test_another_processor_is_not_this_one(arm, aimed, tmp_path):
    """The program of the test above is really one for that processor."""
    aimed("plain")
    program = Program.of(recordings("gru", SINGLE), [arm[0], *FLAGS, "-static"], tmp_path)
    machine = program.path.read_bytes()[18:20]
    assert machine == b"\xb7\x00"  # EM_AARCH64 in the ELF header
