"""Matrices with blocks of zeros: what is left out changes no number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loopcell.export import CForm, to_c
from loopcell.export.c import product as module
from loopcell.export.c.compiled import STRICT, compile_program
from loopcell.export.step_model import step_model_of
from tests.export.c.models import CLANG, GCC, HOUSE, network, prove, source_of

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
SANITIZED = ("-O2", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def pruned(share=0.25, hidden=32):
    """Return an LSTM of whose recurrent matrices blocks of 16 rows by one column are zero, and all of some rows."""
    rng = np.random.default_rng(0)
    model = step_model_of(network("lstm", 2, 5, hidden))
    stages = []
    for stage in model.stages:
        parameters = dict(stage.parameters)
        for name, value in parameters.items():
            if value.ndim == 2 and value.shape[1] == hidden:
                kept = np.repeat(rng.random((hidden // 16, hidden)) < share, 16, axis=0)
                kept[:16] &= name != "U.i"
                parameters[name] = value * kept
        stages.append(replace(stage, parameters=parameters))
    return replace(model, stages=tuple(stages))


@pytest.mark.parametrize("simd", ["plain", "vectors"])
@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
def test_what_is_left_out_changes_no_bit(simd, weights, tmp_path, monkeypatch):
    model, compiler = pruned(), GCC or HOUSE[0]
    sparse = source_of(model, simd, weights)
    _, recorded = prove(sparse, tmp_path, compiler, *SANITIZED)
    monkeypatch.setattr(module, "_WORTHWHILE", -1)
    dense = source_of(model, simd, weights)
    assert "sparse_product" in sparse.code()
    assert "sparse_product" not in dense.code()
    assert sparse.weight_bytes < 0.6 * dense.weight_bytes
    assert sparse.multiply_adds + sparse.left_out == dense.multiply_adds
    assert sparse.left_out > dense.multiply_adds / 2
    answers = []
    for source in (sparse, dense):
        (tmp_path / "net.h").write_text(source.header(), encoding="utf-8")
        (tmp_path / "net.c").write_text(source.code(), encoding="utf-8")
        command = (compiler, *STRICT, "-O2", "-ffp-contract=off")
        answers.append(compile_program(source, tmp_path, command).steps(recorded.inputs)["layer2"])
    assert np.array_equal(*answers)


@pytest.mark.skipif(CLANG is None, reason="asks Clang")
def test_clang_has_nothing_against_it(tmp_path):
    prove(source_of(pruned(), "vectors", "int8"), tmp_path, CLANG, "-O2")


def test_the_report_says_how_much_is_left_out(tmp_path):
    report = to_c(pruned(), tmp_path / "out", name="net", form=CForm(simd="vectors"), drift_steps=0)
    assert f"{report.left_out:,} of {report.multiply_adds + report.left_out:,} multiply-adds" in report.page()
    assert report.left_out > report.multiply_adds


def test_a_dense_matrix_stays_dense():
    source = source_of(pruned(0.75))
    assert "sparse_product" not in source.code()
    assert source.left_out == 0
