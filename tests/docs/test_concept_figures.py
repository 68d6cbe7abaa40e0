"""Figures of the concept pages: each is on its page with its command, and its numbers come out again."""

from __future__ import annotations

import json
import math
import re
import runpy
import sys
from collections import Counter

import pytest

from tests.docs.pages import ROOT

FOLDER = ROOT / "docs" / "figures"
CONCEPTS = ROOT / "docs" / "concepts"
PROGRAM = ROOT / "scripts" / "draw_figures.py"
SHOWN = re.compile(r"^!\[([^\]]+)\]\(\.\./figures/([\w-]+?)((?:\.ko)?\.svg)\)\n\n(.+?)\n\n", re.DOTALL | re.MULTILINE)


@pytest.fixture
def figures(monkeypatch):
    """The package of the figures, imported as its program does."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import figures

    return figures


def numbers(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def shown(korean):
    """What pages of a language show: figure, ending, and the caption below it."""
    pages = [page for page in CONCEPTS.glob("*.md") if page.name.endswith(".ko.md") == korean]
    return [found[1:] for page in pages for found in SHOWN.findall(page.read_text(encoding="utf-8"))]


def test_each_figure_has_its_files_and_no_other_lies_beside_them(figures):
    wanted = {f"{name}{ending}" for name in figures.FIGURES for ending in (".svg", ".ko.svg", ".json")}
    assert {path.name for path in FOLDER.iterdir()} == wanted


@pytest.mark.parametrize("korean", [False, True])
def test_each_figure_is_on_one_page_of_each_language_with_its_command(figures, korean):
    found = shown(korean)
    assert Counter(name for name, *_ in found) == dict.fromkeys(figures.FIGURES, 1)
    assert {ending for _, ending, _ in found} == {".ko.svg" if korean else ".svg"}
    assert [name for name, _, caption in found if f"`python scripts/draw_figures.py {name}`" not in caption] == []


def test_every_word_is_there_in_both_languages(figures):
    from figures.words import table

    assert all(set(words) == {"en", "ko"} for words in table().values())
    assert set(figures.FIGURES) <= set(table())


def test_a_figure_follows_the_colour_of_the_page_and_loads_nothing():
    for path in FOLDER.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "currentColor" in text, path.name
        assert "#010203" not in text, path.name
        assert re.findall(r'href="(?!#|data:)', text) == [], path.name
        assert len(set(re.findall(r'id="([^"]+)"', text))) == len(re.findall(r' id="', text)), path.name


QUICK = ("truncation-error", "linear-flow", "cells-flow", "forget-bias", "gru-conventions", "gru-leak")


@pytest.mark.parametrize("name", QUICK)
def test_a_run_made_now_gives_the_committed_numbers(figures, name):
    from figures.store import differences

    figure = figures.FIGURES[name]
    assert list(differences(figure, numbers(name), figure.measured())) == []


def test_another_number_is_noticed(figures):
    from figures.store import differences

    old, new = numbers("gru-leak"), numbers("gru-leak")
    new["0.9"][3] += 0.1
    (sentence,) = differences(figures.FIGURES["gru-leak"], old, new)
    assert "gru-leak: 0.9 is 0.1 from what is committed" in sentence


def test_the_program_draws_compares_and_names_the_figures(figures, monkeypatch, tmp_path, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", [PROGRAM.name, *words])
        runpy.run_path(str(PROGRAM), run_name="__main__")
        return capsys.readouterr().out

    run("gru-leak", "--into", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"gru-leak.svg", "gru-leak.ko.svg", "gru-leak.json"}
    assert "as committed: gru-leak" in run("--check", "gru-leak")
    assert "A GRU's state follows its candidate" in run("--list")
    with pytest.raises(SystemExit, match="no figure is named gone; they are order, any-length, "):
        run("gone")


def test_the_slope_of_a_linear_network_is_the_log_of_its_spectral_radius_and_flat_when_treated():
    found = numbers("linear-flow")
    for radius, slope in zip(found["radius"], found["slope"], strict=True):
        assert slope == pytest.approx(math.log(radius), rel=0.02, abs=0.002)
    assert max(map(abs, found["orthogonal"])) < 1e-3


def quoted():
    """What pages say, from the numbers: page, words."""
    linear, bias, gates = numbers("linear-flow"), numbers("forget-bias"), numbers("lstm-gates")
    error, clipping = numbers("truncation-error"), numbers("clipping")
    for radius, log, slope in zip(linear["radius"], linear["log of the radius"], linear["slope"], strict=True):
        yield "vanishing-gradients", f"| {radius} | {log:.4f} | {slope:.4f} |".replace("0.0000", "0")
    for cell in ("rnn", "lstm", "gru"):
        power = str(round(-numbers("cells-flow")[cell][-1])).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        yield "vanishing-gradients", f"10⁻{power}"
    yield "vanishing-gradients", f"{10 ** (max(clipping['without clipping']) - 11):.0f}·10¹¹"
    for row in zip(bias["bias"], bias["log of f"], bias["slope"], strict=True):
        number, log, slope = row
        share = 1 / (1 + math.exp(-number))
        yield "lstm", f"| {number:.0f} | {share:.2f} | {log:.2f} | {slope:{'+' if slope > 0 else ''}.2f} |"
    for gate, means in gates["at store, at ask, elsewhere"].items():
        yield "lstm", f"{gate} | {' | '.join(f'{mean:.2f}' for mean in means)} |"
    yield "lstm", f"{gates['mean squared error']:.3f}"
    yield "lstm", f"{gates['variance of the answer']:.3f}"
    eight = error["steps"].index(8)
    yield "bptt", f"{error['rnn'][eight]:.0%}"
    yield "bptt", f"{error['lstm'][eight]:.0%}"
    yield "bptt", f"{error['lstm, chrono'][error['steps'].index(64)]:.0%}"
    yield "one-to-one", f"{numbers('one-to-one')['accuracy']:.0%}"


@pytest.mark.parametrize("ending", [".md", ".ko.md"])
def test_pages_quote_the_numbers(ending):
    for page, words in quoted():
        assert words.replace("-", "−") in (CONCEPTS / f"{page}{ending}").read_text(encoding="utf-8"), (page, words)
