"""What a figure was measured on, and writing it down."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import loopcell

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The processor, its cores and the versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "loopcell": loopcell.__version__,
    }


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Write `results/NAME.json`: the figures, the machine and the day."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"day": datetime.now(UTC).date().isoformat(), "machine": machine(), **figures}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def data_folder() -> Path:
    """The folder that LOOPCELL_DATA names."""
    folder = os.environ.get("LOOPCELL_DATA", "")
    if not Path(folder).is_dir() or not folder:
        raise SystemExit("LOOPCELL_DATA must name the folder of the data sets")
    return Path(folder)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
