"""The table of exported cells: its arithmetic, and that the documentation shows what was measured."""

import json

import numpy as np
import pytest

from benchmarks.onnx_parity import DRAWN, expected_of, largest, network, sequences, table
from benchmarks.onnx_web import DOCS, stream_class
from benchmarks.results import RESULTS
from loopcell import cells
from loopcell.export import step_model_of

FOUND = json.loads((RESULTS / "onnx_parity.json").read_text(encoding="utf-8"))


def test_the_largest_difference_by_hand():
    right = {"y": np.array([[0.5, 100.0], [np.nan, np.inf]])}
    assert largest(right, {"y": np.array([[0.6, 100.0], [np.nan, np.inf]])}) == pytest.approx(0.1)
    assert largest(right, {"y": np.array([[0.5, 130.0], [np.nan, np.inf]])}) == pytest.approx(0.3)
    assert largest(right, {"y": np.array([[0.5, 100.0], [0.0, np.inf]])}) > 1e300


def test_every_cell_is_measured_and_the_pages_say_what_was_found():
    assert set(FOUND["cells"]) == {*cells.names(), f"{DRAWN} drawn cells"}
    for page in (DOCS, DOCS.with_name("export-to-onnx.ko.md")):
        rows = table(FOUND["cells"]).splitlines()[1:]
        assert "\n".join(rows) in page.read_text(encoding="utf-8"), f"{page.name}: python -m benchmarks.onnx_parity"
    worst = max(
        row[form][of] for row in FOUND["cells"].values() for form in ("step", "sequence") for of in ("native", "web")
    )
    assert worst < 1e-4


def test_weights_are_large_enough_to_matter():
    model = step_model_of(network("lstm"))
    assert np.abs(expected_of(model, sequences(model))["layer2"]).max() > 0.3


def test_the_class_of_the_page_is_found():
    assert stream_class().startswith("import * as ort")
    assert "export class Stream" in stream_class()
