"""Rates: the fastest product in bfloat16, by what was measured here, once, and is kept for later processes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from loopcell import Recurrent, cells
from loopcell.backends.c import Factors
from loopcell.backends.c.launch import choice, rates
from loopcell.backends.c.launch.rates import MultiplyRates
from loopcell.backends.c.toolchain import tile_permission
from loopcell.backends.c.toolchain.target import target
from loopcell.errors import UsageError

NET = Recurrent(cells.get("gru"), 3, 4)


def has_amx():
    return target().amx and tile_permission.granted()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / "kernels"))
    (tmp_path / "kernels").mkdir(mode=0o700)
    rates.rates.cache_clear()
    choice._chosen.cache_clear()
    yield tmp_path / "kernels"
    rates.rates.cache_clear()
    choice._chosen.cache_clear()


@pytest.fixture
def measured(monkeypatch):
    """Rates that are made up, and how often they were measured."""
    found = []

    def measure(dot, amx):
        found.append((dot, amx))
        return [50.0, 100.0 if dot else None, 400.0 if amx else None]

    monkeypatch.setattr(rates, "_measured", measure)
    return found


def again():
    """As another process asks."""
    rates.rates.cache_clear()
    return rates.rates(target())


TABLE = [
    # float32, pairs, tiles: of products rounded to bfloat16, and of split ones
    (MultiplyRates(58.0, 113.0, None), Factors.PAIRS, Factors.FULL),  # AMD EPYC
    (MultiplyRates(58.0, 40.0, None), Factors.FULL, Factors.FULL),
    (MultiplyRates(58.0, 60.0, None), Factors.FULL, Factors.FULL),  # operands have to be rounded first, too
    (MultiplyRates(58.0, None, None), Factors.FULL, Factors.FULL),
    (MultiplyRates(58.0, 40.0, 500.0), Factors.TILES, Factors.SPLIT),  # Intel Xeon with AMX
    (MultiplyRates(58.0, 113.0, 100.0), Factors.PAIRS, Factors.FULL),
    (MultiplyRates(58.0, None, 150.0), Factors.TILES, Factors.FULL),
]


@pytest.mark.parametrize(("found", "rounded", "split"), TABLE)
def test_the_fastest_is_chosen_and_never_one_that_is_slower_than_float32(found, rounded, split):
    assert choice.fastest(found, split=False).factors is rounded
    assert choice.fastest(found, split=True).factors is split
    assert f"float32 {found.fp32:.0f}" in choice.fastest(found, split=True).why


FEW_ROWS = [(1, Factors.FULL), (6, Factors.FULL), (8, Factors.SPLIT), (99, Factors.SPLIT)]


@pytest.mark.parametrize(("rows", "split"), FEW_ROWS)
def test_split_products_of_few_rows_are_of_float32(rows, split):
    """A tile of one row takes as long as one of sixteen, and three products of it longer than one of float32."""
    assert choice.fastest(MultiplyRates(89.0, 47.0, 753.0), split=True, rows=rows).factors is split


def test_it_is_measured_once_a_machine(folder, measured):
    first = again()
    assert first == again() == MultiplyRates(50.0, 100.0 if target().bf16 else None, 400.0 if has_amx() else None)
    assert len(measured) == 1
    (file,) = folder.glob("rates-*.json")
    assert file.stat().st_mode & 0o022 == 0


def spoiled(content):
    whole = json.loads(content)
    return {
        "cut off": content[:-9],
        "empty": "",
        "no object": "[1, 2, 3]",
        "deep": "[" * 3000,
        "long": content + " " * 5000,
        "of another machine": json.dumps(whole | {"made_from": "0" * 32}),
        "one missing": json.dumps({name: whole[name] for name in ("made_from", "fp32", "dot")}),
        "one too many": json.dumps(whole | {"int8": 1.0}),
        "no rate": json.dumps(whole | {"fp32": None}),
        "negative": json.dumps(whole | {"fp32": -1.0}),
        "not a number": json.dumps(whole | {"dot": float("nan")}),
        "infinite": json.dumps(whole | {"amx": float("inf")}),
        "text": json.dumps(whole | {"fp32": "50.0"}),
        "true": json.dumps(whole | {"fp32": True}),
    }


def test_a_file_that_is_none_of_ours_is_measured_again(folder, measured):
    expected = again()
    (file,) = folder.glob("rates-*.json")
    content = file.read_text(encoding="utf-8")
    for number, (name, wrong) in enumerate(spoiled(content).items(), 2):
        file.write_text(wrong, encoding="utf-8")
        assert again() == expected, name
        assert len(measured) == number, name
        assert file.read_text(encoding="utf-8") == content, name
    file.write_bytes(b"\xff\xfe\x00")
    assert again() == expected


def test_a_link_in_its_place_is_not_followed(folder, measured, tmp_path):
    expected = again()
    (file,) = folder.glob("rates-*.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of somebody else", encoding="utf-8")
    file.unlink()
    file.symlink_to(elsewhere)
    assert again() == expected
    assert elsewhere.read_text(encoding="utf-8") == "of somebody else"
    assert not file.is_symlink()
    file.unlink()
    file.mkdir()
    assert again() == expected
    assert file.is_dir()


def test_another_cpu_compiler_or_flag_is_another_measurement(folder, measured, monkeypatch):
    again()
    monkeypatch.setattr(rates, "_cpu", lambda: "another CPU")
    again()
    rates.rates(replace(target(), identity="another compiler"))
    rates.rates(replace(target(), flags=("-O1",)))
    assert len(measured) == len(list(folder.glob("rates-*.json"))) == 4


def test_a_folder_that_cannot_be_written_is_no_error(folder, measured, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rates, "atomic_write", full)
    assert again().fp32 == 50.0
    assert not list(folder.glob("rates-*"))


def test_rates_of_this_machine(folder):
    """Measured in earnest: positive, and there for what the target has."""
    found = target()
    measured = rates.rates(found)
    assert measured.fp32 > 0
    assert (measured.dot is not None) == found.bf16
    assert list(folder.glob("rates-*.json"))


# -- what is said, and asked for -------------------------------------------------------------------------------------


def plan_in_bfloat16():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return NET.plan()[0].reason


def test_the_plan_says_which_and_how_fast(folder, measured):
    said = plan_in_bfloat16()
    if has_amx():
        assert "products in bfloat16 on tiles, sums in float32 (AMX; " in said
        assert "billions of multiply-adds a second: float32 50, AVX512-BF16 100, AMX 400)" in said
    elif target().bf16:
        assert "products in bfloat16, sums in float32 (AVX512-BF16; " in said
        assert "billions of multiply-adds a second: float32 50, AVX512-BF16 100)" in said
    else:
        assert "computed in float32 (this CPU has no faster unit)" in said


def test_what_is_not_faster_is_computed_in_float32_and_said(folder, monkeypatch):
    monkeypatch.setattr(rates, "_measured", lambda dot, amx: [50.0, 30.0, None])
    assert "computed in float32 (" in plan_in_bfloat16()
    assert "computed in float32" not in NET.plan()[0].reason  # where nothing else was asked for
    x = torch.randn(5, 3, 3)
    with torch.no_grad():
        expected = NET(x)[0].bfloat16()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(NET(x)[0], expected)


@pytest.mark.parametrize("name", choice.UNITS)
def test_a_unit_can_be_forced_without_measuring(name, folder, measured, monkeypatch):
    monkeypatch.setenv("LOOPCELL_BF16", name)
    there = {"avx512": target().bf16, "amx": has_amx()}.get(name, True)
    if not there:
        with pytest.raises(UsageError, match=f"LOOPCELL_BF16 names '{name}', which this CPU, or the target, has not"):
            plan_in_bfloat16()
        return
    said = {"fp32": "computed in float32", "model": "on tiles", "avx512": "AVX512-BF16, as LOOPCELL_BF16 asks"}
    said["amx"] = "AMX, as LOOPCELL_BF16 asks"
    assert said.get(name, "float32") in plan_in_bfloat16()
    assert bool(measured) == (name == "auto" and (target().bf16 or has_amx()))


def test_a_unit_that_there_is_not(monkeypatch):
    monkeypatch.setenv("LOOPCELL_BF16", "int4")
    with pytest.raises(UsageError, match="LOOPCELL_BF16 names 'int4'; there are auto, fp32, avx512, amx, model"):
        plan_in_bfloat16()


@pytest.mark.parametrize("name", ["plain", "avx2"])
def test_vectors_without_bfloat16_need_no_measurement(name, folder, measured, aimed):
    aimed(name)
    assert "computed in float32 (this CPU has no faster unit)" in plan_in_bfloat16()
    assert not measured
