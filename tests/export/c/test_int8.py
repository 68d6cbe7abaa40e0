"""Products in int8: sums of whole numbers are the same in any order, so every processor's form has the same bits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from loopcell.export.c.compiled import STRICT, compile_program
from tests.export.c.models import CLANG, GCC, HOUSE, network, source_of

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
ARM, EMULATOR = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
FLAGS = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
BUILDS = {
    "portable": (GCC, ("-O2",), ()),
    "avx2": (GCC if "avx2" in FLAGS else None, ("-O2", "-mavx2"), ()),
    "vnni": (GCC if "avx512_vnni" in FLAGS else None, ("-O3", "-mavx512bw", "-mavx512vnni"), ()),
    "vnni, clang": (CLANG if "avx512_vnni" in FLAGS else None, ("-O3", "-mavx512bw", "-mavx512vnni"), ()),
    "dot product of arm": (ARM and EMULATOR and ARM, ("-O2", "-static", "-march=armv8.2-a+dotprod"), ("qemu-aarch64",)),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A network, its inputs, large and small, and its answers from the plain loop."""
    torch.manual_seed(0)
    net = network("gru", 2, input_size=19, hidden_size=41)
    x = np.random.default_rng(0).normal(size=(30, 19)).astype(np.float32)
    x[7:9] *= 1e6
    x[9:11] *= 1e-6
    return net, x, _answers(net, x, "plain", tmp_path_factory.mktemp("plain"), *HOUSE, "-O2")


def _answers(net, x, simd, folder, *command, runner=()):
    source = source_of(net, simd, "int8")
    (folder / "net.h").write_text(source.header(), encoding="utf-8")
    (folder / "net.c").write_text(source.code(), encoding="utf-8")
    # Whether a product is added without rounding is the compiler's choice in all that is not whole numbers.
    return compile_program(source, folder, (*command, *STRICT, "-ffp-contract=off"), runner).steps({"x": x})["layer2"]


@pytest.mark.parametrize("build", BUILDS)
def test_vectors_have_the_bits_of_the_plain_loop(build, plain, tmp_path):
    compiler, flags, runner = BUILDS[build]
    if compiler is None:
        pytest.skip(f"neither compiler nor processor for {build}")
    net, x, expected = plain
    found = _answers(net, x, "vectors", tmp_path, compiler, *flags, runner=runner)
    assert np.array_equal(found, expected)
    assert np.abs(expected).max() > 0.1
