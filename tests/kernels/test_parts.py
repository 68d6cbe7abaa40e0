"""Long loops are compiled side by side: the same library as from one text."""

from __future__ import annotations

import os

import pytest
import torch

from loopcell.backends.c.launch import library
from loopcell.backends.c.toolchain import build
from loopcell.runtime import programs
from tests.kernels.test_laws import ALL
from tests.laws.table import case


@pytest.fixture
def built(monkeypatch, tmp_path):
    """Compile a cell anew, in parts from so many lines on; return its results and how often the compiler ran."""
    runs = []

    def made(lines):
        monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / str(lines)))
        monkeypatch.setattr(library, "LONG_LOOPS", lines)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        run = build.run
        with monkeypatch.context() as patch:
            patch.setattr(build, "run", lambda command, **how: (runs.append(command), run(command, **how))[1])
            programs.kernels_of.cache_clear()
            tried = case(ALL["gru"], hidden_size=19, steps=6, batch=3)
            net = tried.net(dtype=torch.float32)
            x = tried.inputs().float().requires_grad_()
            y, _ = net(x)
            y.square().sum().backward()
            count = len(runs)
            runs.clear()
        return (y.detach(), x.grad, *(parameter.grad for parameter in net.parameters())), count

    yield made
    programs.kernels_of.cache_clear()


def test_parts_are_the_same_library(built):
    whole, once = built(10**9)
    parts, often = built(0)
    assert (once, often) == (1, 3 + 1)  # three loops, and the link
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_a_part_that_is_refused_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path))
    with pytest.raises(build.BuildError, match="refused a generated kernel"):
        build.build("int whole;", "refused", parts=lambda: ["int one;", "int two"])
