"""The common part of the recipes: arguments, the clock, and where a result is written.

A recipe is one file with a function `run(small)` that trains, scores and returns its figures. `--small` takes little
data and little time, to see that it works; its figures say nothing and are not written. `--keep FOLDER` keeps each
model there, and takes it from there the next time: what is scored in another way need not be trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from loopcell import ScoreTable

SMALL = 1e-3  # a figure below this has digits of its own, not places
ROOT = Path(__file__).parents[2]
BUSY = "the machine had other work at the same time, so `seconds` are more than it takes"
KEPT = "trained before, with --keep, and scored on this day; the seconds are those of both"
HEAD = "| recipe | what is measured | model | baselines | published | time |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Known:
    """A published figure.

    Attributes:
        figure: in words and numbers.
        source: who measured it, and where it is written.
    """

    figure: str
    source: str


@dataclass(frozen=True)
class Result:
    """The result of a recipe.

    Attributes:
        figures: by name; the first one is what the recipe is about.
        table: the figures beside baselines.
        settings: what the model was told beside defaults.
        facts: what else a reader should know: sizes, splits, the path that ran.
        part: whether it is a part of the recipe only, which is shown and not written.
    """

    figures: dict[str, float]
    table: ScoreTable
    settings: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    part: bool = False


class Models:
    """The models of a recipe: trained, or as they were kept.

    Attributes:
        folder: where they are kept; None for nowhere.
        name: of the recipe.
        taken: seconds and processor seconds that the kept ones took to train.
    """

    folder: Path | None = None
    name = ""
    taken: ClassVar[dict[str, float]] = {}

    @classmethod
    def fitted(cls, model: Any, X: Any, y: Any, *, name: str = "model", validation: Any = None) -> tuple[Any, float]:
        """Train a model, or take the one that was kept under this name; and the seconds that its updates took."""
        path = None if cls.folder is None else cls.folder / f"{cls.name}-{name}.safetensors"
        if path is not None and path.exists():
            about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            for key in ("seconds", "processor_seconds"):
                cls.taken[key] = cls.taken.get(key, 0.0) + about[key]
            return type(model).load(path), about["updates_seconds"]
        started, worked = time.perf_counter(), time.process_time()
        model.fit(X, y, validation=validation)
        updates = model.outcome_.position.seconds
        if path is not None:
            about = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - worked}
            path.parent.mkdir(parents=True, exist_ok=True)
            model.save(path)
            path.with_suffix(".json").write_text(json.dumps({**about, "updates_seconds": updates}), encoding="utf-8")
        return model, updates


def table(results: Path) -> list[str]:
    """Return the lines of the documentation's table: one for each result that was written."""
    found = [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(results.glob("*.json"))]
    return [HEAD, *(_row(name, result) for name, result in found)]


def _row(name: str, result: dict[str, Any]) -> str:
    metric, figure = next(iter(result["figures"].items()))
    key = (
        metric
        if metric in result["table"]["model"]
        else next(metric for metric, value in result["table"]["model"].items() if value == figure)
    )
    others = [
        f"{row} {shown(figures[key])}" for row, figures in result["table"].items() if row != "model" and key in figures
    ]
    known = "{figure}; {source}".format(**result["known"]) if result["known"] else ""
    minutes = f"{result['processor_seconds'] / 60:.1f} min" + (" (busy)" if "busy" in result else "")
    about = f"{metric}, {result['data']}" + (f" ({result['remark']})" if "remark" in result else "")
    link = f"[{name}](../examples/recipes/{name}.py)"
    return f"| {link} | {about} | {shown(figure)} | {', '.join(others)} | {known} | {minutes} |"


def rounded(value: float) -> float:
    """Return a figure to four places, a small one to two digits."""
    return round(value, 4) if abs(value) >= SMALL else float(f"{value:.2g}")


def shown(value: float) -> str:
    """Return the same as the table has it."""
    return f"{value:.4f}" if abs(value) >= SMALL or not value else f"{value:.2g}"


def main(
    run: Callable[..., Result],
    known: Known | None = None,
    flags: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Run a recipe from the command line, print its table and write `benchmarks/results/recipes/NAME.json`.

    Args:
        run: takes whether it is to be small, and its own flags by name.
        known: a published figure.
        flags: the recipe's own, with the arguments of `argparse`.
    """
    parser = argparse.ArgumentParser(description=sys.modules[run.__module__].__doc__)
    parser.add_argument("--small", action="store_true", help="little data and time, to see that it works")
    parser.add_argument("--busy", action="store_true", help="say in the result that the machine had other work too")
    parser.add_argument("--keep", type=Path, help="a folder to keep each model in, and to take it from the next time")
    for flag, about in flags.items():
        parser.add_argument(flag, **about)
    typed = parser.parse_args()
    own = {name: getattr(typed, name) for name in (flag.removeprefix("--") for flag in flags)}
    Models.folder, Models.name = typed.keep, Path(sys.argv[0]).stem + ("-small" if typed.small else "")
    started, worked = time.perf_counter(), time.process_time()
    result = run(typed.small, **own)
    spent = {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - worked}
    spent = {name: round(value + Models.taken.get(name, 0.0), 1) for name, value in spent.items()}
    print("\n".join(result.table.lines()))
    figures = {name: rounded(value) for name, value in result.figures.items()}
    print(json.dumps({"figures": figures, **spent}))
    if not typed.small and not result.part:
        remarks = {"busy": BUSY} if typed.busy else {}
        remarks |= {"kept": KEPT} if Models.taken else {}
        print(f"written: {_write(result, {'figures': figures, **spent, **remarks}, known)}")


def _write(result: Result, found: dict[str, Any], known: Known | None) -> Path:
    files, name = result_files(), Path(sys.argv[0]).stem
    path = files.RESULTS / "recipes" / f"{name}.json"
    about = {
        "day": datetime.now(UTC).date().isoformat(),
        "command": f"python examples/recipes/{name}.py",
        "threads": torch.get_num_threads(),
        **found,
        "known": {"figure": known.figure, "source": known.source} if known else None,
        "table": {row: {k: rounded(v) for k, v in figures.items()} for row, figures in result.table.rows.items()},
        "data": result.table.data,
        "settings": result.settings,
        **result.facts,
    }
    files.write(path, files.heading(**about))
    return path


def result_files() -> Any:
    """Return the module that writes results, which lies beside the examples and not in the library."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return import_module("benchmarks.results")


if __name__ == "__main__":
    print("\n".join(table(ROOT / "benchmarks" / "results" / "recipes")))
