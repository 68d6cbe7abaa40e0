"""Drawn cells: the same for a seed, and a kernel that is wrong is noticed, whether it differs or dies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import loopcell
from benchmarks import drawn_cells, fuzz, fuzz_batch
from benchmarks.drawn_cells import compare, drawn_cell, drawn_form, everything
from benchmarks.results import SuiteFile


def form(seed=3, number=1):
    return drawn_form(drawn_cell(seed), seed, number)


def test_a_seed_is_a_cell_and_a_number_a_form():
    assert drawn_cell(5).text() == drawn_cell(5).text()
    assert len({drawn_cell(seed).text() for seed in range(20)}) > 15
    one, same, other = form(number=1), form(number=1), form(number=2)
    assert (one.case.steps, one.num_layers, one.threads) == (same.case.steps, same.num_layers, same.threads)
    assert str(one.case) != str(other.case)


def test_forms_are_of_every_kind():
    cell = drawn_cell(0)
    forms = [drawn_form(cell, 0, number) for number in range(60)]
    assert {one.num_layers for one in forms} == {1, 2, 3}
    assert {one.bidirectional for one in forms} == {True, False}
    assert {one.lengths is None for one in forms} == {one.reset is None for one in forms} == {True, False}
    assert any(one.case.steps == 0 for one in forms)
    assert any((one.lengths == 0).any() for one in forms if one.lengths is not None)


def planted(monkeypatch, change):
    """Pretend that kernels give something else than the reference path, which is asked first, in two precisions."""
    asked = []

    def everything_but(form, dtype, seed):
        found = everything(form, dtype, seed)
        asked.append(seed)
        return found if len(asked) <= 2 else {name: change(tensor, dtype, seed) for name, tensor in found.items()}

    monkeypatch.setattr(drawn_cells, "everything", everything_but)


def test_equal_paths_agree():
    assert compare(form()) == ""


def test_a_difference_in_double_precision_is_noticed(monkeypatch):
    planted(monkeypatch, lambda tensor, dtype, seed: tensor + 1e-6 * (dtype == torch.float64))
    found = drawn_cells._difference(form(), seed=0)
    assert "in float64 is off by" in found


def test_a_difference_in_single_precision_is_noticed(monkeypatch):
    planted(monkeypatch, lambda tensor, dtype, seed: tensor + 1e-2 * (dtype == torch.float32))
    assert "in float32 is off by" in drawn_cells._difference(form(), seed=0)


def test_a_number_that_is_none_is_noticed(monkeypatch):
    planted(monkeypatch, lambda tensor, dtype, seed: tensor * float("nan"))
    assert "off by nan" in drawn_cells._difference(form(), seed=0)


def test_what_fails_on_one_set_of_data_only_is_borderline(monkeypatch):
    monkeypatch.setattr(drawn_cells, "_difference", lambda form, seed: "" if seed else "h is off")
    assert compare(form()) == "borderline: h is off"
    monkeypatch.setattr(drawn_cells, "_difference", lambda form, seed: "h is off")
    assert compare(form()) == "h is off"


def test_the_reference_path_beside_itself_is_no_comparison():
    found = fuzz_batch.try_cell(3, forms=2)
    assert found["cases"] == 2
    assert all("no kernels" in failure["what"] for failure in found["failures"])


def test_an_exception_is_a_failure(monkeypatch):
    def broken(form):
        raise loopcell.errors.LoopcellError("there is not enough memory")

    monkeypatch.setattr(fuzz_batch, "is_fused", lambda form: True)
    monkeypatch.setattr(fuzz_batch, "compare", broken)
    (failure,) = fuzz_batch.try_cell(3, forms=1)["failures"]
    assert failure == {"seed": 3, "form": 0, "what": "LoopcellError: there is not enough memory"}


def test_a_crash_is_one_cells_failure_and_the_rest_goes_on(monkeypatch):
    """The process dies at seed 12, then again at 15; every other cell of 10 to 19 is counted."""
    started = []

    def process(arguments, variables):
        _, first, count, forms, precision, file = arguments
        assert precision == "highest"
        started.append(int(first))
        with Path(file).open("w") as lines:
            for seed in range(int(first), int(first) + int(count)):
                lines.write(json.dumps({"begins": seed}) + "\n")
                if seed in (12, 15):
                    lines.write('{"seed": ')  # cut off
                    return "the process ended with -11: "
                done = {"seed": seed, "cases": int(forms), "not_finite": 0, "borderline": [], "failures": []}
                lines.write(json.dumps(done) + "\n")
        return ""

    monkeypatch.setattr(fuzz, "_process", process)
    row = fuzz.run_batch(fuzz.Batch(1, forms=4))
    assert started == [10, 13, 16]
    assert [failure["seed"] for failure in row["failures"]] == [12, 15]
    assert (row["cells"], row["failed"]) == (10, 2)
    assert row["cases"] == 8 * 4 + 2


def test_batches_that_are_there_are_not_run_again(monkeypatch, tmp_path, capsys):
    ran = []
    monkeypatch.setattr(
        fuzz, "run_batch", lambda batch: ran.append(batch.number) or {"cases": 8, "failed": 0, "seconds": 0.1}
    )
    batches = [fuzz.Batch(number, 8) for number in range(3)]
    file = SuiteFile(tmp_path / "fuzz.json", {})
    file.add(batches[1].name, [{}])
    fuzz.run(batches, file, minutes=1, workers=1)
    assert ran == [0, 2]
    assert set(file.parts) == {batch.name for batch in batches}
    fuzz.run([fuzz.Batch(9, 8)], file, minutes=0, workers=1)
    assert ran == [0, 2]


def test_kernels_of_a_drawn_cell():
    """A batch as it is run, kernels and all."""
    with loopcell.backend("auto"):
        if not form().case.net().plan()[0].fused:
            pytest.skip("there are no kernels here")
        found = fuzz_batch.try_cell(1000, forms=2)
    assert found["failures"] == []
    assert found["cases"] + found["not_finite"] == 2
