"""The pictures of the how-to pages: the program draws them, with what stands in those that are shown."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "pictures.py"
SHOWN = ROOT / "docs" / "images"

pytest.importorskip("matplotlib")


def words_of(picture):
    """The words of an SVG of matplotlib's, which draws letters as paths and names the texts in comments."""
    text = picture.read_text(encoding="utf-8")
    return {part.split(" -->")[0] for part in text.split("<!-- ")[1:] if part[:1].isalpha()}


def test_the_fan_chart_has_what_the_page_shows(tmp_path):
    found = importlib.util.spec_from_file_location("pictures", PROGRAM)
    pictures = importlib.util.module_from_spec(found)
    found.loader.exec_module(pictures)
    pictures.fan_chart(tmp_path / "fan-chart.svg", 1)
    assert words_of(tmp_path / "fan-chart.svg") == words_of(SHOWN / "fan-chart.svg")
    assert {"load", "history", "median", "what came"} <= words_of(SHOWN / "fan-chart.svg")


@pytest.mark.slow
def test_all_are_drawn(tmp_path):
    subprocess.run([sys.executable, str(PROGRAM), str(tmp_path)], check=True, timeout=600)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"anomalies.svg", "attention.svg", "dates.html", "fan-chart.svg"}
    assert {"target_1", "score"} <= words_of(tmp_path / "anomalies.svg") & words_of(SHOWN / "anomalies.svg")
