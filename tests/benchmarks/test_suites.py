"""Every suite runs, at sizes that take no time; which path is measured is the one that the plan names."""

from __future__ import annotations

import pytest
import torch

import loopcell
from benchmarks import memory, processes, startup
from benchmarks.grid import Shape
from benchmarks.suites import SUITES, bf16, memory as memory_suite, threads
from tests.benchmarks import elsewhere

IN_ONE_PROCESS = ("grid", "stacked", "ragged", "custom", "threads")


@pytest.mark.parametrize("name", IN_ONE_PROCESS)
def test_a_part_of_every_suite(name, process):
    rows = process(elsewhere.rows, name)
    assert [row["job"] for row in rows] == ["forward", "training"]
    for row in rows:
        assert row["wrong"] == {}
        first = threads.TWO if name == "threads" else "loopcell"
        assert row["times"][first]["median"] > 0
        assert row["paths"][first] == "reference", "tests outside tests/kernels take the reference path"
        assert row["ratios"]


def test_steps_are_timed_and_a_network_without_a_stepper_says_so(process):
    (row,) = process(elsewhere.rows, "step", Shape(5, 1, 3, 4))
    assert row["wrong"] == {}
    assert {"torch.nn", "torch.nn cell"} <= set(row["times"])
    assert hasattr(loopcell.LSTM, "stepper") == ("loopcell" in row["times"])
    assert ("loopcell" in row["absent"]) != ("loopcell" in row["times"])


def test_bf16_without_kernels_says_so():
    for row in elsewhere.rows("bf16"):
        assert "it was asked for" in row["absent"][bf16.BF16]
        assert row["ratios"] == {}


def test_threads_are_those_of_pytorch():
    before = torch.get_num_threads()
    try:
        with threads.threads(2):
            assert torch.get_num_threads() == 2
        with threads.threads(1):
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_every_part_has_a_name_of_its_own():
    for suite in SUITES.values():
        names = [part.name for part in suite.parts]
        assert len(set(names)) == len(names)
        assert all(part.suite == suite.name for part in suite.parts)


@pytest.mark.skipif(bool(memory.available()), reason=memory.available())
def test_memory_is_that_of_what_is_kept():
    """One LSTM layer in training keeps at least its gates: 4 H numbers a row and step."""
    arguments = ["torch.nn", "lstm", "50,16,8,64", "training"]
    found = processes.run_module("benchmarks.memory", arguments, memory.ENVIRONMENT)
    least = 4 * 50 * 16 * 4 * 64
    assert least < found["bytes"] < 20 * least
    assert len(found["norms"]) == 1 + 1 + 4


def test_memory_compares_what_was_computed():
    assert not memory_suite.differs([1.0, 2.0], [1.00001, 2.0])
    assert memory_suite.differs([1.0, 2.0], [1.0, 2.1])
    assert memory_suite.differs([float("nan")], [1.0])


def test_a_first_result_is_compared_and_says_its_path():
    found = startup.first_result("lstm", "training")
    assert found["path"] == "reference"
    assert found["error"] == 0.0
    assert 0 < found["seconds"] < 60


def test_a_process_that_fails_says_why():
    with pytest.raises(processes.ProcessError, match=r"(?s)benchmarks.memory nobody.*KeyError"):
        processes.run_module("benchmarks.memory", ["nobody", "lstm", "1,1,1,1", "forward"], {})


def test_everybody_is_told_the_same_number_of_threads():
    found = processes.thread_settings(1)
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == found["NPROC"] == "1"
    assert found["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=false"
    assert processes.thread_settings(2)["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"
