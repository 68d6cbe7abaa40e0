"""Result files: they go on where they stopped, and never mix two machines or two states of the code."""

from __future__ import annotations

import json

import pytest

from benchmarks import report
from benchmarks.grid import SHAPES, Shape, shape
from benchmarks.results import SuiteFile, rows_of
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
    for name in ("machine", "targets", "grid", "steps"):
        assert text.count(f"<!-- figures: {name} -->") == 1


def test_the_table_has_a_row_for_every_cell_and_size_and_no_figure_that_is_not_there():
    row = {
        "cell": "lstm", **SHAPES[0]._asdict(), "threads": 1, "job": "forward",
        "times": {"loopcell": {"median": 0.1234}}, "ratios": {"torch.nn": {"median": 2.345}},
    }  # fmt: skip
    lines = report.table([row], threads=1).splitlines()
    assert len(lines) == 2 + 3 * len(SHAPES)
    assert len({line.count("|") for line in lines}) == 1
    (found,) = [line for line in lines if "0.123" in line]
    assert found.startswith("| lstm | 1, 1, 64, 64 | 0.123 | 2.35 |")
    assert not any(character.isdigit() for character in lines[2 + len(SHAPES) + 1].split("|", 3)[3])


def test_numbers_have_three_figures():
    shown = {0.8: "0.8", 20.0: "20", 1.234567: "1.23", 20000.0: "20000", 0.0: "0"}
    assert [report.number(value) for value in shown] == list(shown.values())


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
