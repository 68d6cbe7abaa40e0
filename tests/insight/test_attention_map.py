from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from loopcell.errors import UsageError
from loopcell.insight.attention_map import AttentionMap

SVG = "{http://www.w3.org/2000/svg}"


def test_a_cell_for_every_pair_and_a_word_for_every_row_and_column(tmp_path):
    weights = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    AttentionMap(["ein", "<Hund>"], ["개", " & ", "■"], weights).save(tmp_path / "map.svg")
    root = ET.parse(tmp_path / "map.svg").getroot()
    cells = [rect for rect in root.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    assert [float(cell.get("fill-opacity")) for cell in cells] == weights.flatten().tolist()
    assert [text.text for text in root.iter(f"{SVG}text")] == ["ein", "<Hund>", "개", "\u00a0&\u00a0", "■"]
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(float(cell.get("x")) + 24 <= width and float(cell.get("y")) + 24 <= height for cell in cells)


def test_a_name_that_promises_another_picture_is_refused(tmp_path):
    picture = AttentionMap(["a"], ["b"], np.ones((1, 1)))
    with pytest.raises(UsageError, match=r"an SVG, PNG or PDF, and .*att\.JPG promises another kind: name it att\.svg"):
        picture.save(tmp_path / "att.JPG")
    assert not list(tmp_path.iterdir())
    picture.save(tmp_path / "att.svg")
    assert (tmp_path / "att.svg").read_text(encoding="utf-8") == picture.svg()


def test_it_is_drawn_with_its_words_on_given_axes_and_as_png(tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    picture = AttentionMap(["ein", "$x$"], ["개", "■"], np.array([[0.25, 0.75], [1.0, 0.0]]))
    ax = figure.subplots()
    assert picture.plot(ax) is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), picture.weights)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == picture.source
    assert [tick.get_text() for tick in ax.get_yticklabels()] == picture.target
    picture.save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
