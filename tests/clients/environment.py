"""An environment for each client: its packages over those of the running one, so that PyTorch is the same in all."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

from tests.clients.table import Client

ROOT = Path(__file__).parents[2]


def cache_folder() -> Path:
    """The folder of the environments: LOOPCELL_CLIENTS, or one in the user's cache."""
    return Path(os.environ.get("LOOPCELL_CLIENTS") or Path.home() / ".cache" / "loopcell" / "clients")


def environment(name: str, client: Client) -> Path:
    """Make a client's environment unless it is there, and return its Python.

    Packages of the running environment stand behind the client's own. What pip may not change is PyTorch.

    Raises:
        RuntimeError: pip could not install it; the message is pip's last line.
    """
    folder = cache_folder() / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed.txt"
    wanted = "\n".join([importlib.metadata.version("torch"), *client.requirements])
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder, clear=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (own / "running.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    constraints = folder / "constraints.txt"
    constraints.write_text(f"torch=={importlib.metadata.version('torch').partition('+')[0]}\n", encoding="utf-8")
    command = [str(python), "-m", "pip", "install", "-q", "-c", str(constraints), *client.requirements]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError((ended.stderr.strip().splitlines() or ["pip said nothing"])[-1])
    done.write_text(wanted, encoding="utf-8")
    return python


def variables() -> dict[str, str]:
    """The environment variables of a program: loopcell and the programs are taken from this folder, one thread."""
    paths = [str(ROOT), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def installed(python: Path, package: str) -> str:
    """The version of a package in an environment."""
    program = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=True).stdout.strip()
