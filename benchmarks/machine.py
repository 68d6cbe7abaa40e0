"""The machine behind a figure: processor, cores, versions, and the state of the code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src" / "loopcell"
LIBRARIES = ("torch", "numpy", "jax", "jaxlib", "onnxruntime", "onnx", "loopcell")


def machine() -> dict[str, Any]:
    """Return the processor, its cores and caches, the compiler, and the versions of what is compared."""
    return {
        "processor": _processor(),
        "vectors": _vectors(),
        "cores": os.cpu_count(),
        "caches": _caches(),
        "system": f"{platform.system()} {platform.machine()}",
        "compiler": _compiler(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def title(about: Mapping[str, Any]) -> str:
    """Return a machine's name for readers."""
    return f"{about.get('processor')}, {about.get('cores')} cores ({about.get('vectors')})"


def slug(about: Mapping[str, Any]) -> str:
    """Return a machine's name for a folder: the processor as far as it is known, and nothing that an update changes."""
    caches = [f"{name.split()[0]} {size}" for name, size in about["caches"].items() if name.endswith("Unified")]
    words = " ".join([about["processor"], f"{about['cores']} cores", about["vectors"], *caches])
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def version(name: str) -> str | None:
    """Return the installed version of a library; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def code() -> str:
    """Return a fingerprint of loopcell's sources, so that figures of two states of the code are never mixed."""
    total = hashlib.sha256()
    for path in sorted(path for path in SOURCE.rglob("*") if path.suffix in {".py", ".h", ".c"}):
        total.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:12]


def has_amx() -> bool:
    """Return whether the CPU multiplies tiles of bf16."""
    return "amx_bf16" in _features()


def data_folder() -> Path:
    """Return the folder that LOOPCELL_DATA names."""
    folder = os.environ.get("LOOPCELL_DATA", "")
    if not folder or not Path(folder).is_dir():
        raise SystemExit("LOOPCELL_DATA must name the folder of the data sets")
    return Path(folder)


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _vectors() -> str:
    """Return the widest vectors, and what there is for bf16."""
    features = _features()
    widest = next((name for name in ("avx512f", "avx2", "asimd") if name in features), "unknown")
    return ", ".join([widest, *(name for name in ("avx512_bf16", "amx_bf16") if name in features)])


def _features() -> frozenset[str]:
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _caches() -> dict[str, str]:
    """Return sizes of the first core's caches, such as {"L1 Data": "32K"}."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        sizes[f"L{level} {kind}"] = size
    return sizes


@cache
def _compiler() -> str:
    command = shutil.which(os.environ.get("CC", "cc"))
    if command is None:
        return "none"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]
