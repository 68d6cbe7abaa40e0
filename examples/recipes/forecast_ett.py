"""The table of the papers about long horizons: ETTh1, all seven columns, 96 to 720 hours ahead, by segments.

A GRU reads the history in segments of 48 hours and answers for all segments to come side by side (Lin et al.: SegRNN,
2023). The split is the papers': 8,640 hours to train on, 2,880 to choose the best weights by, 2,880 to test, whose
first histories reach back into validation; a forecast from every hour of the test part, of which none is dropped:
2,785 of 96 steps. Errors are of values standardised by the mean and deviation of the training part, as the papers'
MSE and MAE are. Settings were chosen on the validation part; each figure is the mean of three seeds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from recipe import Known, Models, Result, main

from loopcell import Forecaster, ScoreTable
from loopcell.data import fetch

SPLIT = (8640, 2880, 2880)
SEEDS = (1, 2, 3)
SETTINGS: dict[str, Any] = {
    "time": "date",
    "target": "all",
    "split": SPLIT,
    "segment": 48,
    "hidden_size": 256,
    "dropout": 0.5,
    "head": "mean",
    "loss": "mae",
    "batch_size": 64,
    "learning_rate": 2e-3,
    "weight_decay": 0.0,
    "epochs": 8,
    "patience": 8,
    "precision": "bf16-mixed",
}


class Task(NamedTuple):
    """One column of the table.

    Attributes:
        horizon: steps ahead.
        history: steps that are read.
    """

    horizon: int
    history: int = 96

    @property
    def name(self) -> str:
        """Return how its column is called."""
        return str(self.horizon) if self.history == Task(0).history else f"{self.horizon} from {self.history}"


TASKS = (Task(96), Task(192), Task(336), Task(720), Task(96, 720), Task(24, 336))
OTHERS: dict[Task, dict[str, Any]] = {
    Task(192): {"calendar": ("day", "week")},
    Task(336): {"epochs": 4, "learning_rate": 1e-3, "calendar": ("day", "week")},
    Task(720): {"epochs": 4, "learning_rate": 1e-3},
    Task(96, 720): {"epochs": 4},
    Task(24, 336): {"epochs": 5, "segment": 24},
}
"""Settings of single tasks beside the above."""

# MSE as published, of standardised values and from 96 steps (or as the column says): see KNOWN for the sources.
PUBLISHED = {
    "SegRNN": {Task(96): 0.368, Task(192): 0.408, Task(336): 0.444, Task(720): 0.446, Task(96, 720): 0.351},
    "iTransformer": {Task(96): 0.386, Task(192): 0.441, Task(336): 0.487, Task(720): 0.503},
    "DLinear": {Task(96): 0.386, Task(192): 0.437, Task(336): 0.481, Task(720): 0.519},
}
KNOWN = Known(
    "MSE 0.368, 0.408, 0.444, 0.446 at 96, 192, 336, 720 steps (SegRNN, of all windows)",
    "Lin et al.: SegRNN, 2023 (arXiv 2308.11200), its table of a history of 96 in github.com/lss-1138/SegRNN; "
    "iTransformer and DLinear: Liu et al., 2023 (arXiv 2310.06625)",
)
FLAGS = {
    "--set": {"choices": ["ETTh1"], "default": "ETTh1", "help": "the series"},
    "--horizon": {"help": "steps ahead, such as 96,192; all of the table where nothing is said"},
    "--history": {"type": int, "default": 96, "help": "steps that are read, for these"},
    "--seeds": {"type": int, "default": len(SEEDS), "help": "how many seeds"},
}


def run(small: bool, **said: Any) -> Result:
    """Train each horizon with each seed, and put the means of its errors beside the published ones."""
    tasks = TASKS
    if said["horizon"]:
        tasks = tuple(Task(int(steps), said["history"]) for steps in said["horizon"].split(","))
    seeds = tuple(range(1, said["seeds"] + 1))
    if small:
        tasks, seeds = (Task(96),), SEEDS[:1]
    path = fetch("ett")[f"{said['set']}.csv"]
    scores = {task: [_scored(path, task, seed, small=small) for seed in seeds] for task in tasks}
    figures = {f"{metric} {task.name}": _mean(found, metric) for task, found in scores.items() for metric in SHOWN}
    rows: dict[str, dict[str, float]] = {"model": figures}
    for name in scores[tasks[0]][0].rows:
        if name != "model":
            rows[name] = {
                f"{metric} {task.name}": _mean(scores[task][:1], metric, name) for task in tasks for metric in SHOWN
            }
    for name, known in PUBLISHED.items():
        rows[name] = {f"MSE {task.name}": known[task] for task in tasks if task in known}
    facts = {
        "windows": {task.name: found[0].data for task, found in scores.items()},
        "seeds": list(seeds),
        "each seed": {
            f"{metric} {task.name}": [score.model[SHOWN[metric]] for score in found]
            for task, found in scores.items()
            for metric in SHOWN
        },
        "settings of single columns": {task.name: others for task, others in OTHERS.items()},
    }
    about = f"{said['set']}, standardised values of 7 columns, mean of {len(seeds)} seeds"
    return Result(figures, ScoreTable(about, rows), SETTINGS, facts, part=tasks != TASKS or seeds != SEEDS)


SHOWN = {"MSE": "scaled MSE", "MAE": "scaled MAE"}
"""The figures of the table, as a score has them."""


def _mean(scores: list[ScoreTable], metric: str, row: str = "model") -> float:
    return float(np.mean([score.rows[row][SHOWN[metric]] for score in scores]))


def _scored(path: Any, task: Task, seed: int, *, small: bool) -> ScoreTable:
    """Return the test part's figures of a model."""
    settings = {**SETTINGS, **OTHERS.get(task, {}), "horizon": task.horizon, "history": task.history}
    if small:
        settings |= {"hidden_size": 8, "epochs": 1, "split": (600, 200, 200)}
    model = Forecaster(**settings, random_state=seed, progress=True)
    model, _ = Models.fitted(model, path, None, name=f"{task.horizon}-{task.history}-{seed}")
    score = model.score_held_out(path)
    assert score is not None
    return score


if __name__ == "__main__":
    main(run, KNOWN, FLAGS)
