"""The machine of a training, for whoever reads its run later."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


def machine_facts(device: torch.device, precision: str) -> dict[str, str | int]:
    """Return what a training ran on, and with which versions.

    Args:
        device: of the first process.
        precision: of the numbers, as the settings name it.
    """
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {
        "device": str(device),
        **gpu,
        "precision": precision,
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "loopcell": _own_version(),
    }


def _processor() -> str:
    """Return the processor's name, which Linux tells in a file and others to `platform`."""
    lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPUINFO.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _own_version() -> str:
    """Return the version that is installed; the package itself is above this room."""
    try:
        return version("loopcell")
    except PackageNotFoundError:  # a copy of the sources
        return "not installed"
