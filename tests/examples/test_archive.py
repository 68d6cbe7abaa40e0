"""Dynamic time warping in the recipe of the archives' sets, beside the recursion as a textbook prints it."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"


@pytest.fixture
def archive(monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPES))
    for name in ("archive", "recipe"):  # of this folder, whatever another test has imported under these names
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = importlib.util.spec_from_file_location("archive", RECIPES / "archive.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def plain(one, other):
    """D(i, j) = |x_i - y_j|^2 + min(D(i - 1, j), D(i, j - 1), D(i - 1, j - 1)), and D(0, 0) its cost alone."""
    found = np.full((len(one), len(other)), np.inf)
    for i, x in enumerate(one):
        for j, y in enumerate(other):
            ways = [found[a, b] for a, b in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if a >= 0 and b >= 0]
            found[i, j] = ((x - y) ** 2).sum() + min(ways, default=0.0)
    return found[-1, -1]


def test_distances_are_those_of_the_recursion(archive):
    drawn = np.random.default_rng(0)
    one, *others = (drawn.normal(size=(steps, 3)).astype(np.float32) for steps in (9, 1, 5, 9, 14))
    expected = [plain(one, other) for other in others]
    np.testing.assert_allclose(archive.distances(one, others), expected, rtol=1e-5)
    pytest.importorskip("aeon")
    distances = archive._by_aeon([one], others)[0]
    np.testing.assert_allclose(distances, expected, rtol=1e-5)


def test_the_nearest_is_the_one_of_the_least_distance(archive):
    drawn = np.random.default_rng(1)
    learned = [drawn.normal(size=steps) for steps in (6, 8, 7)]
    tested = [np.repeat(learned[2], 2), learned[0] + 0.01]  # twice as slow, which costs nothing
    assert archive.nearest(learned, tested).tolist() == [2, 0]


def test_sets_that_are_learned_anew_leave_the_others_as_they_were_written(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(archive, "WRITTEN", tmp_path / "archive.json")
    monkeypatch.setattr(archive.Models, "taken", {})
    kept = {"rows": {"model": 0.5, archive.DTW: 0.25, "linear": 0.5, "no input": 0.5}, "day": "2025-01-01"}
    written = {"seeds": [1], "settings": {}, "sets": {"OSULeaf": kept}, "seconds": 2.0, "processor_seconds": 1.0}
    archive.WRITTEN.write_text(json.dumps(written))
    monkeypatch.setattr(archive, "scored", lambda *_: {"rows": dict.fromkeys(kept["rows"], 1.0), "day": "2025-02-02"})
    for part in ("BasicMotions", "OSULeaf"):
        (tmp_path / f"{part}_TRAIN.ts").touch()
    monkeypatch.setattr(archive, "fetch", lambda _: {"any": tmp_path / "any.ts"})
    result = archive.run(False, seeds=1, sets="BasicMotions", ensemble=1, update=True)
    assert list(result.facts["sets"]) == ["BasicMotions", "OSULeaf"]
    assert result.facts["sets"]["OSULeaf"] == kept
    assert result.table.rows["model"] == {"mean accuracy": 0.75, "BasicMotions": 1.0, "OSULeaf": 0.5}
    assert archive.Models.taken == {"seconds": 2.0, "processor_seconds": 1.0}
    with pytest.raises(SystemExit, match=r"what is written has the seeds \[1\]"):
        archive.run(False, seeds=3, sets="BasicMotions", ensemble=1, update=True)
    archive.WRITTEN.write_text(json.dumps({name: one for name, one in written.items() if name != "sets"}))
    with pytest.raises(SystemExit, match="learn all sets anew"):  # a file from before sets were kept one by one
        archive.run(False, seeds=1, sets="BasicMotions", ensemble=1, update=True)
