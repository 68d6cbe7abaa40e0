"""What kernels are built with: compilers that are there, are not, or are odd; and how wide vectors may be."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys

import pytest
import torch

import loopcell
from loopcell import Recurrent, cells
from loopcell.backends.c.toolchain import target as targets
from loopcell.backends.c.toolchain.build import BuildError, build, compiler, vector_bytes
from loopcell.backends.c.toolchain.target import TARGETS, target
from loopcell.errors import UsageError
from loopcell.runtime import dispatch

WIDTH = """
int width(void) {
#if defined __AVX512F__
    return 64;
#elif defined __AVX2__
    return 32;
#else
    return 16;
#endif
}
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """An empty PATH, and a way to put programs there; the wheel with a compiler is hidden."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    def put(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


def pretends(*, native, asked=""):
    """A compiler that says what its flags allow, and makes nothing."""
    return f"""
case "$*" in
  *-march=native*|*-mcpu=native*) echo '#define {native} 1';;
  *-mavx*) echo '#define {asked} 1';;
esac
echo '#define __VERSION__ "0"'
"""


@pytest.mark.parametrize("cc", ["gcc", "clang"])
@pytest.mark.parametrize("name", TARGETS)
def test_vectors_are_as_wide_as_the_compiler_may_use(name, cc, aimed, monkeypatch):
    if shutil.which(cc) is None:
        pytest.skip(f"there is no {cc}")
    width = aimed(name, cc).vector_bytes
    assert build(WIDTH, "width").width() == width == vector_bytes()
    if name == "plain":
        assert width == 16
    if name.startswith("avx"):
        assert width == {"avx512": 64, "avx2": 32}[name]
    monkeypatch.setenv("LOOPCELL_CFLAGS", "-mno-avx512f" if width > 16 else "")
    assert build(WIDTH, "width").width() == vector_bytes() == min(width, 32)


def test_a_target_that_there_is_not(monkeypatch):
    monkeypatch.setenv("LOOPCELL_TARGET", "sse")
    dispatch._can_compile.cache_clear()  # an earlier test may have asked
    with pytest.raises(UsageError, match="LOOPCELL_TARGET names 'sse'; there are native, avx512, avx2, plain"):
        Recurrent(cells.get("rnn"), 3, 4).plan()


def test_a_target_that_this_cpu_cannot_run(programs, monkeypatch):
    path = programs("cc", pretends(native="__AVX2__", asked="__AVX512F__"))
    assert vector_bytes() == 32
    monkeypatch.setenv("LOOPCELL_TARGET", "avx512")
    with pytest.raises(UsageError, match=f"names 'avx512', which {path} can build for, and this CPU cannot run"):
        target()


def test_a_target_that_the_compiler_does_not_know(programs, monkeypatch):
    path = programs("cc", 'case "$*" in *-mavx*) exit 1;; *) echo "#define __VERSION__ 0";; esac')
    assert vector_bytes() == 16
    monkeypatch.setenv("LOOPCELL_TARGET", "avx2")
    with pytest.raises(UsageError, match=f"names 'avx2', which {path} cannot build for"):
        target()


def test_a_compiler_that_knows_no_native_builds_for_any_cpu(programs):
    programs("cc", 'case "$*" in *native*) exit 1;; *) echo "#define __VERSION__ 0";; esac')
    assert "native" not in str(target())


def test_no_compiler_at_all(programs):
    assert target() is None
    assert compiler() is None
    assert vector_bytes() == 16
    with pytest.raises(BuildError, match=r"there is no C compiler: `pip install loopcell\[compiler\]` brings one"):
        build(WIDTH, "width")


def test_a_compiler_without_a_c_library_is_passed_over(programs):
    programs("cc", "echo 'math.h: No such file' >&2; exit 1")
    programs("gcc", "exit 0")  # says nothing: no compiler
    clang = programs("clang", pretends(native="__SSE2__"))
    assert compiler() == str(clang)


def test_cc_is_read_as_a_shell_reads_it(programs, monkeypatch):
    programs("cc", pretends(native="__AVX2__"))
    mine = programs("mine", f'test "$1" = --please || exit 1\n{pretends(native="__AVX512F__")}')
    monkeypatch.setenv("CC", "mine --please")
    assert target().command == (str(mine), "--please")
    assert vector_bytes() == 64


@pytest.mark.parametrize("cc", ["missing", "cl /nologo"])
def test_a_cc_that_is_of_no_use_is_said(cc, programs, monkeypatch):
    programs("cl", "exit 2")
    usual = programs("cc", pretends(native="__AVX2__"))
    monkeypatch.setenv("CC", cc)
    sentence = f"CC names '{cc}', which is not there or does not compile as gcc and clang do"
    with pytest.warns(UserWarning, match=sentence):
        assert compiler() == str(usual)


def test_a_compiler_for_another_machine(aimed):
    if shutil.which("aarch64-linux-gnu-gcc") is None or TARGETS["native"][0] == ("-mcpu=native",):
        pytest.skip("this needs a compiler for another machine")
    aimed("native", "aarch64-linux-gnu-gcc")
    with pytest.raises(BuildError, match="a compiled kernel cannot be loaded"):
        build(WIDTH, "width")


def test_a_warning_fails_where_it_is_asked_to(aimed, monkeypatch):
    aimed("native")
    warns = "static int nobody_calls(void) { return 0; }\nint answer(void) { return 42; }\n"
    with pytest.raises(BuildError, match="nobody_calls"):
        build(warns, "warns")
    monkeypatch.delenv("LOOPCELL_CFLAGS")
    assert build(warns, "warns").answer() == 42


def test_a_rebuilt_compiler_is_another_one(programs):
    path = programs("cc", pretends(native="__AVX2__"))
    before = target().identity
    targets._chosen.cache_clear()
    assert target().identity == before
    path.write_text(f"{path.read_text()}# patched\n")
    targets._chosen.cache_clear()
    assert target().identity != before


def test_a_mac_without_its_compiler_is_not_asked_to_install_one(monkeypatch):
    found = {"cc": "/usr/bin/cc", "gcc": "/usr/bin/gcc", "clang": "/usr/bin/clang"}
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(shutil, "which", found.get)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(targets._commands("")) == []
    assert asked == [["/usr/bin/xcode-select", "-p"]]


# -- the compiler that comes as a wheel ------------------------------------------------------------------------------


def test_the_wheel_is_found_where_the_system_has_none(programs, tmp_path, monkeypatch):
    package = tmp_path / "packages" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    zig = package / "zig"
    zig.write_text(f'#!/bin/sh\ntest "$1" = cc || exit 1\n{pretends(native="__AVX2__")}')
    zig.chmod(0o755)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.syspath_prepend(package.parent)
    assert target().command == (str(zig), "cc")
    assert vector_bytes() == 32


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed: loopcell[compiler]")
@pytest.mark.parametrize("name", ["native", "avx2", "plain"])
def test_the_wheel_builds_kernels(name, aimed, monkeypatch):
    native = aimed("native").vector_bytes
    monkeypatch.setenv("PATH", "/nonexistent")
    built_for = aimed(name)
    assert built_for.command[1:] == ("cc",)
    assert built_for.vector_bytes == {"native": native, "avx2": 32, "plain": 16}[name]
    net = Recurrent(cells.get("gru"), 3, 37)
    x = torch.randn(5, 3, 3)
    assert net.plan()[0].fused
    y, _ = net(x)
    with loopcell.backend("reference"):
        expected, _ = net(x)
    torch.testing.assert_close(y, expected)


@pytest.mark.parametrize("variable", ["CC", "LOOPCELL_CFLAGS"])
def test_an_open_quote_is_said(variable, programs, monkeypatch):
    programs("cc", pretends(native="__AVX2__"))
    monkeypatch.setenv(variable, 'gcc "-O2')
    reason = r"which cannot be read as a shell reads it \(No closing quotation\); close the quote"
    sentence = rf"{variable} says 'gcc \"-O2', {reason}"
    for ask in (target, compiler, vector_bytes, lambda: build(WIDTH, "width")):
        with pytest.raises(UsageError, match=sentence):
            ask()


def test_a_refused_flag_is_not_called_a_missing_compiler(programs, monkeypatch):
    programs("cc", f'case "$*" in *--no-such*) echo "what is that?" >&2; exit 1;; esac\n{pretends(native="__AVX2__")}')
    monkeypatch.setenv("LOOPCELL_CFLAGS", "-O2 --no-such")
    with pytest.raises(UsageError, match=r"LOOPCELL_CFLAGS says '-O2 --no-such', which .*cc refuses: what is that\?"):
        compiler()
    monkeypatch.setenv("LOOPCELL_CFLAGS", "-O2")
    assert compiler() is not None


def test_a_real_compiler_refuses_a_flag(monkeypatch):
    monkeypatch.setenv("LOOPCELL_CFLAGS", "-fno-such-flag")
    with pytest.raises(UsageError, match=r"LOOPCELL_CFLAGS says '-fno-such-flag', which .* refuses: .*no-such-flag"):
        target()
