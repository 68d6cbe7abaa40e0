"""Values of units from a table of their own: joined by the unit, whatever its type; or an error that names it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell.data import sequences_from_table
from loopcell.errors import DataError, UsageError


@pytest.fixture
def rows():
    drawn = np.random.default_rng(0)
    unit = np.repeat([3, 1, 2], [4, 3, 5])
    return pd.DataFrame({"unit": unit, "a": drawn.normal(size=12), "label": np.array(["x", "y", "x"])[unit - 1]})


@pytest.fixture
def patients():
    return pd.DataFrame({"unit": [1, 2, 3], "age": [10.0, np.nan, 30.0], "ward": ["east", "west", "east"]})


ASKED = {"input": "a", "by": "unit", "target": "label"}


@pytest.mark.parametrize("form", ["frame", "text", "floats"])
def test_it_is_a_merge_of_pandas(rows, patients, form, tmp_path):
    table = patients.sample(frac=1, random_state=1)
    expected = rows.drop_duplicates("unit").merge(patients, on="unit", how="left")
    if form == "text":
        table.to_csv(tmp_path / "p.csv", index=False)
        table = tmp_path / "p.csv"
    if form == "floats":
        table = table.assign(unit=table["unit"].astype(float))
    found = sequences_from_table(rows, statics=table, **ASKED)
    ages = [float("nan" if one is None else one) for one in found.static[:, 0]]
    np.testing.assert_array_equal(ages, [30.0, 10.0, np.nan])
    assert found.static[:, 1].tolist() == expected["ward"].tolist()
    assert [len(x) for x in found.X] == [4, 3, 5]


def test_static_names_columns_of_both_tables_and_windows_have_those_of_their_unit(rows, patients):
    rows["weight"] = rows["unit"] * 1.5
    found = sequences_from_table(rows, statics=patients, static=("weight", "age"), window=2, **ASKED)
    units = np.array([3] * 3 + [1] * 2 + [2] * 4)
    np.testing.assert_array_equal(found.static[:, 0], units * 1.5)
    np.testing.assert_array_equal(found.static[:, 1], np.array([10.0, np.nan, 30.0])[units - 1])


def test_where_each_step_has_a_label_they_are_numbers_of_every_step(rows, patients):
    found = sequences_from_table(rows, statics=patients, static="age", each_step=True, **ASKED)
    assert found.static is None
    assert found.X.step_names == ("a", "age")
    assert [x[:, 1].tolist() for x in found.X][:2] == [[30.0] * 4, [10.0] * 3]
    assert np.isnan(found.X[2][:, 1]).all()
    with pytest.raises(DataError, match="column 'ward': 'east' is not a number"):
        sequences_from_table(rows, statics=patients, static="ward", each_step=True, **ASKED)


def test_several_columns_tell_units_apart(rows, patients):
    rows["site"], patients["site"] = "b", "b"
    other = patients.assign(site="a", age=0.0)
    found = sequences_from_table(
        rows, statics=pd.concat([other, patients]), static="age", **ASKED | {"by": ("unit", "site")}
    )
    assert found.static[:2, 0].tolist() == [30.0, 10.0]


def test_units_without_rows_are_counted(rows, patients):
    more = pd.concat([patients, patients.assign(unit=patients["unit"] + 10)])
    found = sequences_from_table(rows, statics=more, **ASKED)
    assert any(note.startswith("3 of 6 units of ") and "have no rows" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "asked", "reason"),
    [
        (lambda table: table.iloc[:2], {}, r"frame has no row for unit 3, which frame row 1 is of"),
        (lambda table: pd.concat([table, table.iloc[:1]]), {}, r"row 4: unit 1 comes twice, here and at frame row 1"),
        (lambda table: table.assign(unit=[1, 2, None]), {}, r"row 3: column 'unit' has nothing in it"),
        (lambda table: table.rename(columns={"unit": "id"}), {}, r"has no column 'unit'; it has id, age, ward"),
        (lambda table: table[["unit"]], {}, r"has no column beside unit: there is nothing to read"),
        (lambda table: table, {"static": "height"}, r"has no column 'height'; it has unit, age, ward"),
        (lambda table: table, {"by": (), "window": 2}, r"go with by= \(--by\)"),
    ],
)
def test_what_cannot_be_joined_is_said(rows, patients, change, asked, reason):
    with pytest.raises((DataError, UsageError), match=reason):
        sequences_from_table(rows, statics=change(patients), **ASKED | asked)
