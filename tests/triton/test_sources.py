"""The text of kernels with the types of their arguments; and that Triton's compiler takes it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from loopcell import cells
from loopcell.backends.triton import KINDS, KernelChoice, kernel_sources
from loopcell.passes import build_program

SIZES = {"input": 4, "hidden": 40, "proj": 24}

COMPILE = """
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from loopcell import cells
from loopcell.backends.triton import KernelChoice, kernel_sources
from loopcell.passes import build_program

program = build_program(cells.get("mgu").graph, training=True)
for kind, dtype in (("resident", torch.bfloat16), ("persistent", torch.float32)):
    choice = KernelChoice(kind, units=16, held=False)
    *_, source = kernel_sources(program, {"input": 4, "hidden": 40}, dtype, choice)
    asked = ASTSource(source.function, dict(source.signature), dict(source.constants), source.attributes)
    made = triton.compile(asked, target=GPUTarget("cuda", 90, 32), options={"num_warps": choice.warps})
    assert made.asm["cubin"], kind
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lstm_projected", "gru_layer_norm"])
def test_every_argument_has_a_type_and_every_constant_a_value(name, kind):
    program = build_program(cells.get(name).graph, training=True)
    for source in kernel_sources(program, SIZES, torch.float16, KernelChoice(kind)):
        assert tuple(source.signature) == source.kernel.arguments
        constants = {argument for argument, kind_of in source.signature.items() if kind_of == "constexpr"}
        assert constants == set(source.constants)
        assert not constants & {"B", "T"}  # of which nothing is compiled anew


def test_what_kernels_carry_from_step_to_step_is_no_shorter_than_float32():
    program = build_program(cells.get("gru").graph, training=True)
    for source in kernel_sources(program, SIZES, torch.bfloat16, KernelChoice("streamed")):
        carried = [kind for name, kind in source.signature.items() if name.startswith("carried_")]
        assert carried
        assert set(carried) == {"*fp32"}


def test_kernels_compile_for_a_gpu_that_is_not_here():
    setting = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE]
    done = subprocess.run(command, env=setting, check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr
