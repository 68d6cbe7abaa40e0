"""The laws again, on kernels and on torch's own operators: registered, modified and unusual cells."""

from __future__ import annotations

import pytest

from loopcell import cells
from loopcell.testing import LAWS
from tests.laws.table import case
from tests.laws.unusual import UNUSUAL
from tests.passes.test_recognise import KNOWN, somebodys_lstm
from tests.paths import ELSEWHERE, path

pytestmark = pytest.mark.usefixtures("compiled_soon")
MODIFIED = {
    "zoneout": cells.zoneout(cells.get("lstm"), {"h": 0.2, "c": 0.4}),
    "recurrent dropout": cells.recurrent_dropout(cells.get("gru_keeps_before"), 0.3, input_rate=0.2),
    "residual": cells.residual(cells.get("gru")),
}
ALL = {**cells.CELLS, **MODIFIED, **UNUSUAL}


@pytest.mark.parametrize("name", ALL)
def test_every_law_holds_on_kernels(name):
    tried = case(ALL[name])
    assert all(plan.fused for plan in tried.net().plan())
    for law in LAWS.values():
        law(tried)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("made", [*map(cells.get, KNOWN), somebodys_lstm], ids=lambda made: made.name)
def test_every_law_holds_on_torchs_operators(made):
    """Where there is one; resets, records, vmap and second derivatives go on to the next path."""
    tried = case(made)
    with path(ELSEWHERE):
        assert {plan.backend for plan in tried.net().plan()} == {"native"}
        for law in LAWS.values():
            law(tried)
