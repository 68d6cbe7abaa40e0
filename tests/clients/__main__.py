"""`python -m tests.clients [NAME ...]`: other projects run with torch.nn and with ours in its place; same numbers?

Each client is installed into an environment of its own (a folder in the user's cache, or the one that LOOPCELL_CLIENTS
names), and its program runs twice, in processes of their own. Results go to benchmarks/results/clients.json.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, heading, read, write
from tests.clients.compare import complaint, furthest
from tests.clients.environment import ROOT, environment, installed, variables
from tests.clients.table import CLIENTS, Client

LONGEST = 900  # seconds of one program


def main() -> int:
    """Run what was asked for, print a line for each client, and write the results; 1 where something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(CLIENTS)}")
    parser.add_argument("--out", type=Path, default=RESULTS / "clients.json", help="the file of the results")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in CLIENTS]
    if unknown:
        parser.error(f"no client is named {unknown[0]!r}; there are {', '.join(CLIENTS)}")
    names = asked.names or list(CLIENTS)
    about, before = heading(), read(asked.out)
    same = all(before.get(key) == value for key, value in about.items())
    kept = before.get("clients", {}) if same else {}
    whole = same or not before or not asked.names  # results of two states of the code are never mixed
    if not whole:
        say(f"{asked.out} is of another machine, version or state of the code, and stays: run all to renew it")
    for name in names:
        kept[name] = {"day": datetime.now(UTC).date().isoformat(), **outcome(name, CLIENTS[name])}
        say(f"{name:20} {kept[name]['result']}")
        if whole:
            write(asked.out, {**about, "clients": {name: kept[name] for name in CLIENTS if name in kept}})
    return int(any(kept[name]["result"] != "same" for name in names))


def outcome(name: str, client: Client) -> dict[str, Any]:
    """Install a client, run its program twice, and say what came out."""
    about: dict[str, Any] = {"what": client.what, "package": client.package}
    try:
        python = environment(name, client)
        about["version"] = installed(python, client.package)
        torchs, ours = (once(python, name, whose) for whose in ("torch", "loopcell"))
    except RuntimeError as error:
        return {**about, "result": f"could not run: {error}"}
    distance = furthest(torchs["numbers"], ours["numbers"])
    wrong = complaint(torchs, ours)
    if not wrong and not distance <= client.tolerance:
        wrong = f"numbers differ by {distance:.2g} of the largest, more than {client.tolerance:g}"
    return {
        **about,
        "result": wrong or "same",
        "numbers": sum(map(len, torchs["numbers"].values())),
        "furthest": float(f"{distance:.3g}") if math.isfinite(distance) else None,
        "tolerance": client.tolerance,
        "calls": ours["calls"],
    }


def once(python: Path, name: str, whose: str) -> Any:
    """Run a program in a process of its own and return what it prints last.

    Raises:
        RuntimeError: it failed; the message is its last line.
    """
    command = [str(python), "-m", "tests.clients.program", name, whose]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=variables(), capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no end after {LONGEST} s with {whose}") from None
    if ended.returncode:
        raise RuntimeError(f"with {whose}: {(ended.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    return json.loads(ended.stdout.strip().splitlines()[-1])


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
