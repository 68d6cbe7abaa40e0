"""Seconds of training to a validation loss of 1.50 nats a character on tinyshakespeare, loopcell beside torch.nn.

    python -m benchmarks.time_to_loss lstm --minutes 9      (again and again, until it says that both are there)

One training loop, run on two models that start from the same numbers and read the same text in the same order; only
the recurrent module is another. They take turns of a few updates, so that both meet the same machine. Only training
is timed: forward, backward, clipping, Adam. Everything is kept in a file between two calls. Before the first turn the
loss and every gradient of both are compared, and at the end their validation losses, update by update: where they
differ there is no figure.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.machine import code, data_folder
from benchmarks.paired_training import MODULES, PairedTraining, Recipe, Text
from benchmarks.processes import pin
from benchmarks.results import SuiteFile, heading, of_this_machine
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file

KIND = FileKind("loopcell-time-to-loss", 1, "paused training")
PAUSED = Path(__file__).parent / "runs"


def save(training: PairedTraining, path: Path, about: Mapping[str, Any]) -> None:
    """Keep a training for later."""
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {"about": about, "updates": training.updates}
    for name, side in training.sides.items():
        tensors |= {f"{name}/model/{key}": value for key, value in side.model.state_dict().items()}
        for place, slots in side.optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/adam/{place}/{key}": value for key, value in slots.items()}
        parts = () if side.state is None else side.state if isinstance(side.state, tuple) else (side.state,)
        tensors |= {f"{name}/state/{place}": part for place, part in enumerate(parts)}
        facts[name] = {"seconds": side.seconds, "curve": side.curve, "is_pair": isinstance(side.state, tuple)}
    path.parent.mkdir(exist_ok=True)
    write_tensor_file(path, KIND, TensorFile(tensors, facts))


def restore(training: PairedTraining, path: Path, about: Mapping[str, Any]) -> bool:
    """Go on with a training that was kept, if it was run on the same code with the same recipe."""
    if not path.exists():
        return False
    content = read_tensor_file(path, KIND)
    if content.facts["about"] != about:
        return False
    training.updates = content.facts["updates"]
    for name, side in training.sides.items():
        mine = {
            key.removeprefix(f"{name}/"): value for key, value in content.tensors.items() if key.startswith(f"{name}/")
        }
        side.model.load_state_dict(_below(mine, "model/"))
        _restore_adam(side.optimizer, _below(mine, "adam/"))
        parts = tuple(value for _, value in sorted(_below(mine, "state/").items()))
        facts = content.facts[name]
        side.state = (parts if facts["is_pair"] else parts[0]) if parts else None
        side.seconds, side.curve = facts["seconds"], [tuple(point) for point in facts["curve"]]
    return True


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _restore_adam(optimizer: torch.optim.Adam, slots: Mapping[str, Tensor]) -> None:
    content = optimizer.state_dict()
    content["state"] = {}
    for name, value in slots.items():
        place, _, key = name.partition("/")
        content["state"].setdefault(int(place), {})[key] = value
    optimizer.load_state_dict(content)


def main() -> int:
    """Go on with a training for some minutes; 1 if it is not over then."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_loss", description=__doc__)
    parser.add_argument("cell", choices=MODULES)
    parser.add_argument("--minutes", type=float, default=9.0, help="stop and keep everything after so many")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--to", type=Path, default=of_this_machine(), metavar="FOLDER", help="where the result goes")
    asked = parser.parse_args()
    pin(asked.threads)
    torch.set_num_threads(asked.threads)
    recipe = Recipe()
    text = (data_folder() / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    training = PairedTraining(asked.cell, recipe, Text(text, recipe))
    paused = PAUSED / f"time-to-loss-{asked.cell}.safetensors"
    about = {"code": code(), "threads": asked.threads, "recipe": asdict(recipe), "torch": torch.__version__}
    if not restore(training, paused, about):
        training.compare_start()
    end = time.monotonic() + 60 * asked.minutes
    while not training.is_over and time.monotonic() < end:
        training.turn()
    if not training.is_over:
        save(training, paused, about)
        print(f"paused after {training.updates} updates: call it again to go on")
        return 1
    row = training.row(asked.cell, asked.threads)
    SuiteFile(asked.to / "time_to_loss.json", heading()).add(asked.cell, [row])
    paused.unlink(missing_ok=True)
    print(f"over: torch.nn's seconds over ours are {row['ratio']}{' (' + row['why'] + ')' if 'why' in row else ''}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
