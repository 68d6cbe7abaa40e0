from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from loopcell.errors import MissingExtraError, UsageError
from loopcell.training.config import Hardware
from loopcell.training.hardware import start_fabric


def test_the_cpu_in_each_precision():
    for precision in ("32-true", "64-true", "bf16-true"):
        fabric = start_fabric(Hardware(device="cpu", precision=precision))
        module = fabric.setup(torch.nn.Linear(1, 1))
        assert str(module.weight.dtype).removeprefix("torch.") == {"32": "float32", "64": "float64"}.get(
            precision[:2], "bfloat16"
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there():
    with pytest.raises(UsageError) as caught:
        start_fabric(Hardware(device="cuda:1"))
    assert str(caught.value) == "device cuda:1: no CUDA device is available here; use cpu"


def test_a_missing_fabric_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(MissingExtraError) as caught:
        start_fabric(Hardware())
    assert str(caught.value) == 'training needs Lightning Fabric: pip install "loopcell[train]"'


@pytest.fixture
def fabric_run(monkeypatch):
    """The environment that `fabric run` gives a program in one process; flags that it was told go in as arguments."""
    monkeypatch.setenv("LT_CLI_USED", "1")
    monkeypatch.setenv("LT_DEVICES", "1")
    monkeypatch.setenv("LT_NUM_NODES", "1")

    def told(**flags):
        for name, value in flags.items():
            monkeypatch.setenv(f"LT_{name.upper()}", value)

    return told


@pytest.mark.parametrize(
    ("told", "asked", "expected"),
    [
        ({"precision": "bf16-mixed"}, "32-true", "bf16-mixed"),
        ({"precision": "64-true", "accelerator": "cpu"}, "bf16-true", "64-true"),
        ({}, "bf16-true", "bf16-true"),
        ({}, "32-true", "32-true"),
    ],
)
def test_under_fabric_run_its_flags_count_and_leave_the_rest(fabric_run, told, asked, expected):
    fabric_run(**told)
    fabric = start_fabric(Hardware(device="cpu", precision=asked))
    assert fabric._precision.precision == expected
    assert fabric.device.type == "cpu"


def test_fabric_run_itself(tmp_path):
    """Its flag and a configuration of another precision do not quarrel."""
    program = tmp_path / "program.py"
    program.write_text(
        "from loopcell.training.config import Hardware\n"
        "from loopcell.training.hardware import start_fabric\n"
        "fabric = start_fabric(Hardware(device='cpu'))\n"
        "print(fabric._precision.precision, fabric.world_size)\n",
        encoding="utf-8",
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    flags = ["--accelerator", "cpu", "--precision", "bf16-mixed", "--main-port", port]
    command = [sys.executable, "-m", "lightning_fabric.cli", *flags, str(program)]  # what `fabric run` starts
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "bf16-mixed 1" in done.stdout
