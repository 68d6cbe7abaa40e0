from __future__ import annotations

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
    assert str(caught.value) == "training needs Lightning Fabric: pip install loopcell[train]"
