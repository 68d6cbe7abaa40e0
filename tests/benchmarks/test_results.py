"""Result files: they go on where they stopped, and never mix two machines or two states of the code."""

from __future__ import annotations

import json

import pytest

from benchmarks import report, tables
from benchmarks.grid import SHAPES, Shape, shape, threads_on
from benchmarks.machine import slug
from benchmarks.results import SuiteFile, heading, read, rows_of, state, write, write_beside
from benchmarks.suites.part import Part, part_from_json
from benchmarks.verdict import Measured


def test_a_file_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "grid.json"
    SuiteFile(path, {"code": "a"}).add("one", [{"cell": "rnn"}])
    again = SuiteFile(path, {"code": "a"})
    assert set(again.parts) == {"one"}
    again.add("two", [{"cell": "gru"}])
    assert [row["cell"] for row in rows_of(path)] == ["rnn", "gru"]
    assert json.loads(path.read_text())["code"] == "a"


def test_another_heading_begins_anew(tmp_path):
    path = tmp_path / "grid.json"
    SuiteFile(path, {"code": "a"}).add("one", [{"cell": "rnn"}])
    other = SuiteFile(path, {"code": "b"})
    assert other.parts == {}
    assert len(rows_of(path)) == 1, "what is there stays until there is something new"
    other.add("two", [{"cell": "gru"}])
    assert [row["cell"] for row in rows_of(path)] == ["gru"]


def test_a_part_that_is_measured_anew_leaves_the_others_and_each_says_where_it_was(tmp_path):
    path, other = tmp_path / "small.json", {"processor": "another", "vectors": "", "caches": {}, "torch": "1"}
    before = {"one": {"day": "2025-01-01", "code": "a", "rows": [1]}, "two": {"rows": [2]}}
    write(path, {"machine": {**other, "cores": 64}, "code": "b", "day": "2025-02-02", "sets": before})
    for name in ("two", "three"):
        write_beside(path, heading(told="x"), "sets", name, {"rows": [3]})
    found = read(path)
    assert found["sets"] == {"one": before["one"], "two": {"rows": [3]}, "three": {"rows": [3]}}
    assert found["measured"]["one"] == {"day": "2025-01-01", "code": "a", "machine": other}
    assert found["measured"]["two"] == found["measured"]["three"] == state()
    assert (found["machine"], found["told"]) == (heading()["machine"], "x")


def test_what_a_part_does_not_say_of_itself_the_heading_says(tmp_path):
    path = tmp_path / "coverage.json"
    write(path, {"machine": {"processor": "another"}, "code": "b", "day": "2025-02-02", "sets": {"old": {"1": 0.8}}})
    write_beside(path, heading(), "sets", "new", {"1": 0.7})
    old = read(path)["measured"]["old"]
    assert (old["day"], old["code"], old["machine"]["processor"]) == ("2025-02-02", "b", "another")


def test_a_part_travels_as_json():
    part = Part("stacked", "gru", Shape(1, 2, 3, 4), 2, "3 layers")
    assert part_from_json(json.loads(json.dumps(part.as_json()))) == part
    assert part.name == "gru 1,2,3,4 3 layers 2 threads"
    assert all(shape(str(one)) == one for one in SHAPES)


def test_figures_are_put_between_their_marks(tmp_path):
    page = tmp_path / "page.md"
    other = "<!-- figures: x -->\n<!-- figures: end -->\n"
    page.write_text(f"a\n<!-- figures: grid -->\n\nold\n\n<!-- figures: end -->\nb\n{other}")
    report.insert(page, "grid", r"new \1")
    assert page.read_text().startswith("a\n<!-- figures: grid -->\n\nnew \\1\n\n<!-- figures: end -->\nb\n")
    assert page.read_text().endswith(other)
    with pytest.raises(SystemExit, match="has 0 places for the figures of 'targets'"):
        report.insert(page, "targets", "")


def test_the_documentation_has_a_place_for_everything():
    text = report.PAGE.read_text(encoding="utf-8")
    for name in ("machine", "targets", "means", "grid", "half", "teams", "scaling", "steps"):
        assert text.count(f"<!-- figures: {name} -->") == 1


def test_the_table_has_a_row_for_every_cell_and_size_and_no_figure_that_is_not_there():
    row = {
        "cell": "lstm", **SHAPES[0]._asdict(), "threads": 1, "job": "forward",
        "times": {"loopcell": {"median": 0.1234}}, "ratios": {"torch.nn": {"median": 2.345}},
    }  # fmt: skip
    lines = tables.table([row], threads=1).splitlines()
    assert len(lines) == 2 + 3 * len(SHAPES)
    assert len({line.count("|") for line in lines}) == 1
    (found,) = [line for line in lines if "0.123" in line]
    assert found.startswith("| lstm | 1, 1, 64, 64 | 0.123 | 2.35 |")
    assert not any(character.isdigit() for character in lines[2 + len(SHAPES) + 1].split("|", 3)[3])


def test_numbers_have_three_figures():
    shown = {0.8: "0.8", 20.0: "20", 1.234567: "1.23", 20000.0: "20000", 0.0: "0"}
    assert [tables.number(value) for value in shown] == list(shown.values())


def test_rows_are_named_in_which_others_were_at_work():
    row = {"cell": "rnn", **SHAPES[0]._asdict(), "threads": 1, "job": "forward"}
    alone, shared = ({**row, "times": {"loopcell": {"cores": cores}, "JAX": {"cores": 0.1}}} for cores in (1.0, 0.5))
    assert report.disturbed(Measured({"grid": [alone]})) == []
    assert report.quiet_line(Measured({"grid": [alone]})).startswith("In all 1 rows")
    found = Measured({"grid": [alone, shared, {**shared, "threads": 2}]})
    assert report.disturbed(found) == ["grid rnn (1,1,64,64) forward"]
    assert report.quiet_line(found).startswith("In 1 of 2 rows with one thread others took part of the core")


def test_files_of_two_states_of_the_code_are_told_apart(tmp_path, capsys):
    for name, code in (("grid", "a"), ("step", "b")):
        SuiteFile(tmp_path / f"{name}.json", {"machine": {}, "code": code}).add("one", [])
    report.report(tmp_path, is_published=False)
    content = json.loads((tmp_path / "targets.json").read_text())
    assert content["code"] == {"grid": "a", "step": "b"}
    assert {target["verdict"] for target in content["targets"]} == {"not measured"}


def test_results_of_each_machine_lie_side_by_side(tmp_path, monkeypatch):
    """Each machine has a folder, and a page shows both; one with another version of a library is no other machine."""
    about = {"processor": "A (R) 1", "cores": 2, "vectors": "avx2", "caches": {"L2 Unified": "1M"}, "torch": "2"}
    other = {**about, "cores": 64}
    assert slug(about) == slug({**about, "torch": "3"}) == "a-r-1-2-cores-avx2-l2-1m"
    assert slug(other) != slug(about)
    row = {
        "cell": "gru", **SHAPES[-1]._asdict(), "threads": 1, "job": "forward", "absent": {}, "wrong": {},
        "times": {"loopcell": {"median": 0.5, "cores": 1.0}},
    }  # fmt: skip
    for machine, ratio in ((about, 2.0), (other, 3.0)):
        rows = [{**row, "ratios": {"torch.nn": {"median": ratio}}}]
        SuiteFile(tmp_path / slug(machine) / "grid.json", {"machine": machine, "code": "a"}).add("one", rows)
    page = tmp_path / "page.md"
    places = ("machine", "targets", "means", "grid", "half", "teams", "scaling", "steps", "summary")
    page.write_text("".join(f"<!-- figures: {name} -->\n<!-- figures: end -->\n" for name in places))
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(
        report, "FRONT", {report.ROOT / "README.md": ("over", "sequences", "step", "forward", "training")}
    )
    monkeypatch.setattr(report, "draw", lambda grid, path: None)
    inserted, insert = [], report.insert
    monkeypatch.setattr(report, "insert", lambda where, name, text: (inserted.append(name), insert(page, name, text)))
    report.report(tmp_path / slug(about), is_published=True)
    text = page.read_text()
    assert text.count("**A (R) 1, 2 cores (avx2)**") == text.count("**A (R) 1, 64 cores (avx2)**") == 6
    assert "| GRU, sequences, forward | 2.00 |  |  | 3.00 |  |  |" in text
    assert set(inserted) == set(places)
    assert not (tmp_path / slug(other) / "targets.json").exists()


@pytest.mark.parametrize(("cores", "numbers"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4)), (64, (1, 2, 4, 8)), (0, (1,))])
def test_as_many_threads_as_there_are_cores(cores, numbers):
    assert threads_on(cores) == numbers
