"""Every cell x every law."""

import pytest

from loopcell.testing import LAWS
from tests.laws.table import ODD, OTHERS, REGISTERED, SINGLE

every_law = pytest.mark.parametrize("law", LAWS.values(), ids=[name.replace(" ", "_") for name in LAWS])


@every_law
@pytest.mark.parametrize("cell", REGISTERED)
def test_registered_cells(cell, law):
    law(REGISTERED[cell])


@every_law
@pytest.mark.parametrize("cell", OTHERS)
def test_modified_and_unusual_cells(cell, law):
    law(OTHERS[cell])


@every_law
@pytest.mark.parametrize("cell", SINGLE)
def test_one_unit_one_row_one_step(cell, law):
    law(SINGLE[cell])


@every_law
@pytest.mark.parametrize("cell", ODD)
def test_odd_sizes(cell, law):
    law(ODD[cell])
