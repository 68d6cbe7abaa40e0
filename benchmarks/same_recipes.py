"""Run every recipe at its small size in two trees and compare their figures: `python -m benchmarks.same_recipes TREE`.

TREE is another checkout of this repository, such as a worktree at an earlier commit. Both run with their own recipes
and their own library, side by side, on the public data (LOOPCELL_DATA). Exit code 1 where a figure differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
TIMES = ("time", "milliseconds")  # figures that no two runs share


def figures(tree: Path, name: str) -> dict[str, Any] | str:
    """Return the figures that a recipe prints as its last line; its last words where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tree / "examples" / "recipes" / f"{name}.py"), "--small"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().rpartition("\n")[2]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["figures"]
    return {name: figure for name, figure in found.items() if not name.startswith(TIMES)}


def main(arguments: list[str]) -> int:
    """Compare, a line for each recipe."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "examples" / "recipes").is_dir():
        print(__doc__)
        return 2
    other, different = Path(arguments[0]).resolve(), 0
    names = sorted(path.stem for path in (HERE / "examples" / "recipes").glob("*.py") if path.stem != "recipe")
    with ThreadPoolExecutor(2) as pool:
        for name in names:
            before, now = pool.map(figures, (other, HERE), (name, name))
            same = before == now and not isinstance(now, str)
            different += not same
            print(f"{name}: the same" if same else f"{name}: {before} before, {now} now", flush=True)
    print(f"{len(names) - different} of {len(names)} recipes have the same figures")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
