"""Print the files that stand between a call of a network and its kernel, in the order in which they are entered.

    python scripts/call_path.py [CELL]

A newcomer who follows `net(x)` down to the C function opens these files, so there should be few. CELL is "gru" (the
default), "lstm" or "rnn" for the replacement of torch.nn's module, or the name of any other cell for a `Recurrent`.

Two calls of a network are followed, with a gradient as in training: the first, which checks the input and finds the
kernels, and the second, which the call cache answers. Another network of the cell has run before: code generation and
compilers work once for each machine, and are not counted. Nor are functions that dataclasses have generated.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import torch

import loopcell

SOURCE = Path(loopcell.__file__).parent
STEPS, ROWS, INPUTS, UNITS = 5, 3, 8, 16
CLASSES = {"gru": loopcell.GRU, "lstm": loopcell.LSTM, "rnn": loopcell.RNN}


def network(cell: str) -> torch.nn.Module:
    """Make a small network of a cell."""
    if cell in CLASSES:
        return CLASSES[cell](INPUTS, UNITS)
    return loopcell.Recurrent(loopcell.cells.get(cell), INPUTS, UNITS)


def files_of(call: Callable[[], object]) -> dict[Path, list[str]]:
    """Return the files under src/loopcell that a call enters, in order, with the functions that it enters there."""
    found: dict[Path, list[str]] = {}

    def enter(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(SOURCE):
            functions = found.setdefault(path.relative_to(SOURCE), [])
            name = frame.f_code.co_name
            if name not in functions and not name.startswith("<"):
                functions.append(name)

    sys.setprofile(enter)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


def paths(cell: str) -> list[dict[Path, list[str]]]:
    """Return the files of the first and the second call of a network."""
    x = torch.randn(STEPS, ROWS, INPUTS)
    torch.set_num_threads(1)
    network(cell)(x)  # another network of the cell: its kernels are compiled and loaded now
    net = network(cell)
    return [files_of(lambda: net(x)) for _ in range(2)]


def main(arguments: list[str]) -> int:
    """Print both calls of the network that `arguments` name."""
    cell = arguments[0] if arguments else "gru"
    for title, found in zip(("the first call", "the second call"), paths(cell), strict=True):
        print(f"{title} of a {cell}: {len(found)} files")
        for path, functions in found.items():
            print(f"  {path.as_posix():32} {', '.join(functions)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
