"""Train a small language model on text that every machine has, and let it write.

    python examples/demo.py [--seconds 150] [--run FOLDER]

The text is the Python standard library's own source code. The program trains by the clock until the time given is
used, and prints held-out bits a character beside two baselines, a sample, and where the files lie.
"""

from __future__ import annotations

import argparse
import math
import sysconfig
from pathlib import Path

from loopcell import LanguageModel
from loopcell.cli.score_table import print_score, print_verdict
from loopcell.training.run_folder import RunFolder, free_folder

TEXT_BYTES = 3_000_000
FASTEST = 400  # updates a second that no machine reaches, so the clock ends the run and not their number
PRIME = "def __init__(self, "


def source_files(most_bytes: int) -> tuple[Path, ...]:
    """Return the standard library's own modules by the order of their names, up to some size, always the same."""
    files: list[Path] = []
    total = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        data = path.read_bytes()
        if data and is_utf8(data) and total + len(data) <= most_bytes:
            files.append(path)
            total += len(data)
    return tuple(files)


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are text."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def make_model(seconds: float) -> LanguageModel:
    """Make a GRU of 256 units that reads 16 lanes of the text side by side; its learning rate falls by the clock."""
    return LanguageModel(
        cell="gru",
        hidden_size=256,
        num_layers=1,
        embedding_size=64,
        batch_size=16,  # more and smaller updates: as fast for each character, and a slow machine learns more
        chunk=64,
        learning_rate=4e-3,
        updates=math.ceil(FASTEST * seconds),
        time_limit=seconds,
        validation_fraction=0.05,
        random_state=1,
        progress=True,
    )


def main() -> None:
    """Run the demo."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--seconds", type=float, default=150, help="how long to train")
    arguments.add_argument("--bytes", type=int, default=TEXT_BYTES, help="how much text to read at most")
    arguments.add_argument("--run", type=Path, help="the run's folder, else a new one in runs/")
    given = arguments.parse_args()

    files = source_files(given.bytes)
    size = sum(path.stat().st_size for path in files)
    print(f"text: {len(files)} modules of the Python standard library, {size / 1e6:.1f} MB; the end is held out")
    model = make_model(given.seconds)
    print(f"training a {model.cell} of 256 units until {given.seconds:.0f} seconds are used")
    run = RunFolder(given.run or free_folder(Path("runs"), "demo"))
    model.fit(files, run=run.path)

    if model.held_out_:
        print_score(model.held_out_)
        print_verdict(model.held_out_)
    print(f"\na sample after {PRIME!r}:\n")
    for piece in model.generate(PRIME, length=500, temperature=0.7, seed=1):
        print(piece, end="", flush=True)
    print(f"\n\nmodel:  {run.model}")
    print(f"curve:  {run.metrics}  (or: tensorboard --logdir {run.tensorboard})")
    print(f'sample: loopcell sample {run.model} --prime "import "')
    print(f"eval:   loopcell eval {run.model} FILE")


if __name__ == "__main__":
    main()
