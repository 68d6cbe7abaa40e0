"""Lightning Fabric: the device, the precision and the processes of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from loopcell.errors import MissingExtraError, UsageError
from loopcell.training.config import Hardware

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def start_fabric(config: Hardware) -> Fabric:
    """Set up the device and start or join the processes.

    Under `torchrun` the processes are already there and are joined. Under `fabric run` its flags count, and
    `config` for what they leave open: the kind of device and the precision.

    Raises:
        MissingExtraError: Lightning Fabric is not installed.
        UsageError: there is no such device here.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingExtraError('training needs Lightning Fabric: pip install "loopcell[train]"') from error
    _check_device(config.device)
    if os.environ.get("LT_CLI_USED", "0") != "0":
        return Fabric(**_left_open(config))
    accelerator, _, _ = config.device.partition(":")
    fabric = Fabric(accelerator=accelerator, precision=config.precision, **_processes(config))
    fabric.launch()
    return fabric


def _left_open(config: Hardware) -> dict[str, Any]:
    """Return what `fabric run` was not told; Fabric refuses to be told otherwise."""
    accelerator, _, _ = config.device.partition(":")
    wanted = {"accelerator": accelerator, "precision": config.precision}
    return {name: value for name, value in wanted.items() if f"LT_{name.upper()}" not in os.environ}


def _processes(config: Hardware) -> dict[str, Any]:
    """Return Fabric's arguments about processes, from torchrun's environment where there is one."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if "TORCHELASTIC_RUN_ID" in os.environ and world > 1:
        return {"devices": local, "num_nodes": world // local, "strategy": "ddp"}
    _, _, number = config.device.partition(":")
    if number:
        return {"devices": [int(number)]}
    return {"devices": config.devices}


def _check_device(device: str) -> None:
    kind, _, number = device.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device {device}: no CUDA device is available here; use cpu")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {device}: there are only {torch.cuda.device_count()} CUDA devices here")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError("device mps: no Apple GPU is available here; use cpu")
