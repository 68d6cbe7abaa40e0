"""One part of a suite, in this process: `python -m benchmarks.measure_part JSON`, started by `python -m benchmarks`."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.processes import pin


def main(request: dict[str, Any]) -> None:
    """Measure the part and print its rows as one line of JSON."""
    threads = request["part"]["threads"]
    pin(threads)  # before torch and its peers count the cores

    import torch

    from benchmarks.comparison import Settings
    from benchmarks.measure import QUICK, Patience
    from benchmarks.suites import SUITES
    from benchmarks.suites.part import part_from_json

    torch.set_num_threads(threads)
    part = part_from_json(request["part"])
    settings = Settings(QUICK if request["quick"] else Patience(), request["clock"])
    print(json.dumps(SUITES[part.suite].run(part, settings)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
