"""The table of the papers about long horizons: ETTh1, all seven columns, 96 to 720 hours ahead, by segments.

Split, settings and published figures stand in `loopcell.tasks.forecasting.long_horizons`, by which `loopcell recipe
ett` prints the same table; here two columns of another history come to it, and columns by ensembles, and the result is
written. Each figure is the mean of three seeds, and that of an ensemble is of one, whose networks have these three.
With `--update` some columns are trained anew, and the others stay as they were written: the result says of each on
which day and by which state of the code it was measured.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from recipe import ROOT, Known, Models, Result, main, result_files

from loopcell import ScoreTable
from loopcell.data import fetch
from loopcell.tasks.forecasting.long_horizons import (
    COLUMNS,
    OTHERS,
    SETS,
    SETTINGS,
    SHOWN,
    TableColumn,
    forecaster,
    mean,
    table_of,
)

SEEDS = (1, 2, 3)
ALONE = (*COLUMNS, TableColumn(96, 720), TableColumn(24, 336))
ALL = (*ALONE, *(column._replace(ensemble=len(SEEDS)) for column in (*COLUMNS, TableColumn(96, 720))))
SET = SETS["ETTh1"]

KNOWN = Known(
    "MSE 0.368, 0.408, 0.444, 0.446 at 96, 192, 336, 720 steps (SegRNN, of all windows)",
    "Lin et al.: SegRNN, 2023 (arXiv 2308.11200), its table of a history of 96 in github.com/lss-1138/SegRNN; "
    "iTransformer and DLinear: Liu et al., 2023 (arXiv 2310.06625)",
)
FLAGS = {
    "--horizon": {"help": "steps ahead, such as 96,192; all of the table where nothing is said"},
    "--history": {"type": int, "default": 96, "help": "steps that are read, for these"},
    "--ensemble": {"type": int, "default": 1, "help": "networks whose forecasts are averaged, for these"},
    "--seeds": {"type": int, "default": len(SEEDS), "help": "how many seeds"},
    "--update": {"action": "store_true", "help": "write these columns beside the others of the result that is there"},
}
WRITTEN = ROOT / "benchmarks" / "results" / "recipes" / "forecast_ett.json"


def run(small: bool, **said: Any) -> Result:
    """Train each column with each seed, and put the means of its errors beside the published ones."""
    columns = ALL
    if said["horizon"]:
        asked = said["history"], said["ensemble"]
        columns = tuple(TableColumn(int(steps), *asked) for steps in said["horizon"].split(","))
    seeds = tuple(range(1, said["seeds"] + 1))
    if small:
        columns, seeds = (TableColumn(96),), SEEDS[:1]
    path = fetch("ett")[f"{SET.name}.csv"]
    scores = {
        column: [_scored(path, column, seed, small=small) for seed in (seeds if column.ensemble == 1 else seeds[:1])]
        for column in columns
    }
    figures = {f"{figure} {column.name}": mean(found, figure) for column, found in scores.items() for figure in SHOWN}
    facts = {
        "windows": {column.name: found[0].data for column, found in scores.items()},
        "seeds": list(seeds),
        "each seed": {
            f"{figure} {column.name}": [score.model[SHOWN[figure]] for score in found]
            for column, found in scores.items()
            for figure in SHOWN
        },
        "settings of single columns": {column.name: others for column, others in OTHERS.items()},
    }
    facts["measured"] = {column.name: result_files().state() for column in columns}
    part = columns != ALL or seeds != SEEDS
    found = Result(figures, table_of(scores, SET.name), {**SETTINGS, "split": SET.split}, facts, part=part)
    return _beside_others(found, seeds) if said["update"] and not small else found


def _beside_others(found: Result, seeds: tuple[int, ...]) -> Result:
    """Return a result with the other columns of the one that is written; its seconds count for both."""
    written = json.loads(WRITTEN.read_text(encoding="utf-8"))
    if written["seeds"] != list(seeds):
        raise SystemExit(f"--update: the written columns are of the seeds {written['seeds']}; train these")
    before = {"day": written["day"], "code": written["code"], "machine": result_files().shortened(written["machine"])}
    measured = dict.fromkeys(written["windows"], before) | written.get("measured", {}) | found.facts["measured"]
    anew = ", ".join(found.facts["windows"])
    facts = {**found.facts, "measured": measured, "kept": f"trained anew: {anew}; the seconds are those of all columns"}
    for fact in ("windows", "each seed"):
        facts[fact] = written[fact] | found.facts[fact]
    rows = {name: row | found.table.rows.get(name, {}) for name, row in written["table"].items()}
    for kind in ("seconds", "processor_seconds"):
        Models.taken[kind] = Models.taken.get(kind, 0.0) + written[kind]
    table = ScoreTable(written["data"], rows)  # of as many seeds, though an ensemble's is one
    return replace(found, figures=written["figures"] | found.figures, table=table, facts=facts, part=False)


def _scored(path: Path, column: TableColumn, seed: int, *, small: bool) -> ScoreTable:
    """Return the test part's figures of a model."""
    model = forecaster(SET, column, seed, small=small)
    networks = f"-of-{column.ensemble}" if column.ensemble > 1 else ""
    model, _ = Models.fitted(model, path, None, name=f"{column.horizon}-{column.history}{networks}-{seed}")
    score: ScoreTable = model.score_held_out(path)
    return score


if __name__ == "__main__":
    main(run, KNOWN, FLAGS)
