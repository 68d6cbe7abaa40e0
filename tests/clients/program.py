"""One program, run once: `python -m tests.clients.program NAME torch|loopcell` prints its numbers as JSON.

A program is a module in `programs/` with `run()`, which returns lists of numbers by name. It is imported after ours
were put in, so that classes which derive from torch.nn's derive from ours.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import torch

from tests.clients.swap import counted, placed


def run(name: str, whose: str) -> dict[str, Any]:
    """Run a program from a fixed seed, on one thread; return its numbers and whose recurrent modules were called."""
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(mode=True)
    with placed(whose), counted() as calls:
        program = importlib.import_module(f"tests.clients.programs.{name.replace('-', '_')}")
        numbers = program.run()
    return {"numbers": {key: flat(value) for key, value in numbers.items()}, "calls": dict(calls)}


def flat(value: Any) -> list[float]:
    """Return numbers of any form as a list of floats."""
    return torch.as_tensor(value).detach().double().reshape(-1).tolist()


if __name__ == "__main__":
    torch.set_num_threads(1)
    result = run(sys.argv[1], sys.argv[2])
    sys.stdout.write("\n" + json.dumps(result) + "\n")
