"""Which path runs, why, and what happens when kernels cannot be had."""

from __future__ import annotations

import shutil

import pytest
import torch

import loopcell
from loopcell import Recurrent, cells
from loopcell.backends.c.toolchain.build import BuildError
from loopcell.errors import UsageError
from loopcell.runtime import asked, dispatch, programs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def net():
    return Recurrent(cells.get("gru"), 3, 4)


def test_the_plan_says_why():
    assert str(net().plan()[0]) == (
        "gru: c (generated kernels for the CPU, forward and backward; gradients of gradients as PyTorch operations)"
    )
    with loopcell.backend("reference"):
        assert str(net().plan()[0]) == "gru: reference (plain PyTorch, step by step: it was asked for)"
    assert "results in bfloat16" in net().bfloat16().plan()[0].reason
    assert "for the CPU" in net().to("meta").plan()[0].reason
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert "results in bfloat16" in net().plan()[0].reason


def test_an_unknown_back_end():
    with (
        pytest.raises(UsageError, match="there is no back end 'gpu'; there are auto, native, triton, c, reference"),
        loopcell.backend("gpu"),
    ):
        pass


def test_the_environment_names_one_for_the_process(monkeypatch):
    monkeypatch.setenv("LOOPCELL_BACKEND", "reference")
    token = asked._chosen.set(None)
    asked._of_the_process.cache_clear()
    try:
        assert not net().plan()[0].fused
    finally:
        asked._chosen.reset(token)
        asked._of_the_process.cache_clear()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(dtype, monkeypatch):
    monkeypatch.setenv("LOOPCELL_BF16", "fp32")  # what a CPU does where no product in bfloat16 is faster
    half = net().to(dtype)
    x = torch.randn(3, 2, 3, dtype=dtype, requires_grad=True)
    y, state = half(x)
    assert y.dtype == state.h.dtype == dtype
    y.float().sum().backward()
    single = net().float()
    single.load_state_dict(half.state_dict())
    wide = x.detach().float().requires_grad_()
    expected, _ = single(wide)
    expected.sum().backward()
    assert torch.equal(y, expected.to(dtype))
    assert x.grad.dtype == dtype
    assert torch.allclose(x.grad.float(), wide.grad, rtol=0.01, atol=0.01)
    assert half.l0.U.n.grad.dtype == dtype


def test_autocast_gives_its_own_dtype_and_gradients_in_single(monkeypatch):
    monkeypatch.setenv("LOOPCELL_BF16", "fp32")
    network, x = net(), torch.randn(3, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state = network(x)
        y.float().sum().backward()
    assert y.dtype == state.h.dtype == torch.bfloat16
    assert network.l0.U.n.grad.dtype == torch.float32
    assert torch.equal(y, network(x)[0].bfloat16())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        compiled, _ = network(x, state)  # a state of an earlier call is narrow
    assert compiled.dtype == torch.bfloat16


def test_without_a_compiler_there_is_one_warning(monkeypatch):
    monkeypatch.setattr(dispatch, "compiler", lambda: None)
    dispatch._can_compile.cache_clear()
    dispatch._warn_of_no_compiler.cache_clear()
    try:
        with pytest.warns(UserWarning, match="found no C compiler and runs on plain PyTorch") as caught:
            first, second = net().plan()[0], net().plan()[0]
        assert len(caught) == 1
        assert first == second
        assert first.reason.endswith("there is no C compiler")
    finally:
        dispatch._can_compile.cache_clear()


def test_a_kernel_that_cannot_be_built_is_said_and_the_reference_path_runs(monkeypatch):
    def broken(*_):
        raise BuildError("the compiler has had enough")

    monkeypatch.setattr(programs, "Kernels", broken)
    programs.kernels_of.cache_clear()
    try:
        network = net()
        with pytest.warns(UserWarning, match="no fused kernel for gru, which runs on plain PyTorch: the compiler has"):
            y, _ = network(torch.randn(3, 2, 3))
        assert y.shape == (3, 2, 4)
        assert str(network.plan()[0]) == (
            "gru: reference (plain PyTorch, step by step: no kernel could be built: the compiler has had enough)"
        )
        assert network.double().plan()[0].fused
    finally:
        programs.kernels_of.cache_clear()
        programs._REFUSALS.clear()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the flags are those of GCC")
@pytest.mark.parametrize("name", cells.names())
def test_generated_code_compiles_without_a_warning(name, tmp_path):
    import subprocess

    from loopcell.backends.c import Kernels
    from loopcell.passes import build_program

    kernels = Kernels(build_program(cells.get(name).graph, training=True).fused, torch.float32)
    text = tmp_path / "kernel.c"
    text.write_text(kernels.text())
    command = ["gcc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-march=native", str(text)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_a_cells_name_cannot_leave_its_comment(folder):
    from loopcell import cell, tanh
    from loopcell.backends.c import Kernels
    from loopcell.passes import build_program

    name = "x */ __attribute__((constructor)) void f(void) { __builtin_trap(); } /* \\ ??/"
    hostile = cell(name=name)(lambda x, h, *, W: tanh(W.h @ x + h))
    kernels = Kernels(build_program(hostile.graph, training=True).fused, torch.float32)
    assert "constructor))" not in kernels.text()
    assert kernels.loops.text().count("*/") == kernels.loops.text().count("/*")
    assert Recurrent(hostile, 3, 4)(torch.zeros(1, 1, 3))[0].shape == (1, 1, 4)
