"""Every cell, and equations that nobody thought of, through C: the numbers of the model, without a warning."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from loopcell import GRU, LSTM, cells
from loopcell.errors import CheckFailed
from tests.export.c.models import CLANG, GCC, HOUSE, network, prove, sound_model, source_of, whole_model
from tests.laws.drawn import cell_of, draw

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
PLAIN = (GCC or HOUSE[0], *(() if GCC else HOUSE[1:])) if HOUSE else ()
OTHER = (CLANG,) if CLANG else PLAIN


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_is_the_same_in_c(name, tmp_path):
    net = network(name)
    plain, _ = prove(source_of(net), tmp_path, *PLAIN, "-O0")
    vectors, _ = prove(source_of(net, "vectors"), tmp_path, *OTHER, "-O3")
    assert max(plain, vectors) < 2e-5


@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_layer_norm", "sru"])
def test_a_cell_in_c_answers_as_its_network_does(name, tmp_path):
    """Not StepRun, but PyTorch: the whole sequence in one call."""
    net = network(name, layers=1, input_size=4, hidden_size=17)
    source = source_of(net, "vectors")
    x = torch.randn(30, 1, 4)
    _, recorded = prove(source, tmp_path, *PLAIN, "-O2", data={"x": x[:, 0].numpy()})
    assert np.allclose(recorded.answers["layer1"], net(x)[0][:, 0].detach().numpy(), atol=2e-5)


@pytest.mark.parametrize("net", [LSTM(3, 21, num_layers=3, proj_size=6), GRU(40, 33, num_layers=2, dropout=0.5)])
def test_stacks_and_projections(net, tmp_path):
    assert prove(source_of(net.eval(), "vectors"), tmp_path, *PLAIN, "-O3", "-march=native")[0] < 1e-5


@pytest.mark.parametrize("simd", ["plain", "vectors"])
def test_a_model_with_every_kind_of_stage(simd, tmp_path):
    assert prove(source_of(whole_model(), simd), tmp_path, *PLAIN, "-O2")[0] < 1e-5


@pytest.mark.parametrize("width", [100, 64, 3])
def test_bands_of_sound(width, tmp_path):
    assert prove(source_of(sound_model(width, min(7, width // 2))), tmp_path, *PLAIN, "-O2")[0] < 2e-4


@pytest.mark.parametrize("seed", range(24))
def test_drawn_equations_are_the_same_in_c(seed, tmp_path):
    net = network(cell_of(draw(random.Random(seed))), layers=1 + seed % 2, hidden_size=3 + seed % 7)
    try:
        prove(
            source_of(net, ("plain", "vectors")[seed % 2]),
            tmp_path,
            *(PLAIN, OTHER)[seed % 2],
            ("-O0", "-O2")[seed % 2],
        )
    except CheckFailed as error:
        assert "are not finite on these inputs" in str(error)  # noqa: PT017 - such a drawing proves nothing
        pytest.skip(str(error))


def test_a_wrong_program_is_found(tmp_path, monkeypatch):
    """The comparison can fail: with tanh for the sigmoid, nothing is the model any more."""
    from loopcell.export.c import equations

    monkeypatch.setitem(equations.SPELLING, "sigmoid", "f_tanh({0})")
    with pytest.raises(CheckFailed, match="does not compute what the model does"):
        prove(source_of(network("gru", 1)), tmp_path, *PLAIN, "-O1")


@pytest.mark.parametrize(("simd", "weights"), [("plain", "bfloat16"), ("vectors", "bfloat16"), ("plain", "int8")])
@pytest.mark.parametrize("level", ["-O0", "-O3 -march=native"])
def test_narrow_weights(simd, weights, level, tmp_path):
    """The C computes with the weights that are stored; these are near the model's."""
    torch.manual_seed(0)
    model = whole_model()
    error, recorded = prove(source_of(model, simd, weights), tmp_path, *PLAIN, *level.split())
    assert error < {"bfloat16": 1e-5, "int8": 2e-4}[weights]
    assert 1e-5 < recorded.narrowing < 0.02


@pytest.mark.parametrize("name", ["lstm_layer_norm", "gru", "sru"])
def test_narrow_weights_of_cells(name, tmp_path):
    net = network(name, hidden_size=37)
    assert prove(source_of(net, "plain", "int8"), tmp_path, *OTHER, "-O2")[0] < 3e-3
