"""Two processes over gloo do what one does with twice the lanes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.toy import Diary, make_step, make_trainer, same, weights
from tests.training.two_processes import JOBS, settings_of

ROOT = Path(__file__).parents[2]


def torchrun(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    done = torchrun("-m", "tests.training.two_processes", str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return [load_file(folder / f"rank{rank}.safetensors") for rank in (0, 1)]


def part(tensors, name):
    return {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}


@pytest.mark.parametrize("name", [*JOBS, "whole", "cut"])
def test_both_processes_have_the_same_weights(ranks, name):
    assert same(part(ranks[0], f"{name}/weights"), part(ranks[1], f"{name}/weights"))


@pytest.mark.parametrize("job", JOBS)
def test_two_processes_agree_with_one_of_twice_the_lanes(ranks, tmp_path, job):
    diary = Diary()
    settings, chunks, held_out = settings_of(job, 4, 10)
    step = make_step(ignored=JOBS[job][1])
    single = make_trainer(tmp_path / "one", settings, step=step, chunks=chunks, validation=held_out, observers=[diary])
    outcome = single.fit()
    found = part(ranks[0], f"{job}/weights")
    for name, value in weights(single).items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-9)
    assert ranks[0][f"{job}/held_out"].item() == pytest.approx(outcome.position.best_loss, abs=1e-6)
    expected = [report.gradient_norm for report in diary.reports]
    assert ranks[0][f"{job}/norms"].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_resumed_run_of_two_processes_is_the_same_to_the_last_bit(ranks):
    """With dropout, which every process draws for itself."""
    cut, whole, plain = (part(ranks[0], f"{name}/weights") for name in ("cut", "whole", "plain"))
    assert same(cut, whole)
    assert not same(cut, plain)
