"""The formats of the UEA/UCR archive, in the dialects that its files have."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell.data import read
from loopcell.errors import DataError

TS = """#A comment
@problemName Two
@timeStamps false
@univariate false
@classLabel true up down
@data
1,2,3:4,5,6:up
-1.5,?:0,1e3:down
"""


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: str):
        path = tmp_path / name
        path.write_text(data, encoding="utf-8")
        return path

    return write


def examples(path, **options) -> list[tuple[list, str]]:
    return [(record.get("series").tolist(), record.get("label")) for record in read(path, **options)]


def test_ts(write):
    found = list(read(write("a.ts", TS)))
    assert [record.get("label") for record in found] == ["up", "down"]
    assert found[0].get("series").dtype == np.float64
    np.testing.assert_array_equal(found[0].get("series"), [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(found[1].get("series"), [[-1.5, 0], [np.nan, 1000]])  # ? is a missing value
    assert str(found[1].origin).endswith("a.ts row 2 (line 8)")
    assert examples(write("b.txt", TS.replace("?", "9"))) == examples(write("b.ts", TS.replace("?", "9")))


def test_ts_without_labels_has_series_alone(write):
    records = read(write("a.ts", "@problemName x\n@classLabel false\n@data\n1,2\n3\n"))
    assert records.columns == ("series",)
    assert [record.get("series").shape for record in records] == [(2, 1), (1, 1)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2:3:up", r"row 1 \(line 5\): its channels have different lengths \(1 to 2 steps\)"),
        ("1,two:3,4:up", r"row 1 \(line 5\): channel 1 has a value that is no number \(could not convert .*'two'"),
        ("up", r"row 1 \(line 5\): it has a label and no series"),
    ],
)
def test_bad_rows_of_ts(write, text, reason):
    path = write("a.ts", f"@problemName x\n@dimensions 2\n@classLabel true up\n@data\n{text}\n1,2:3,4:up\n")
    with pytest.raises(DataError, match=rf"a\.ts {reason}"):
        list(read(path))
    records = read(path, skip_bad_rows=True)
    assert len(list(records)) == 1
    assert "rows that are no series: 1" in str(records.skipped)


def test_bad_heads(write):
    with pytest.raises(DataError, match="has a time stamp beside every value"):
        list(read(write("a.ts", TS.replace("@timeStamps false", "@timeStamps true"))))
    with pytest.raises(DataError, match=r"is not \.ts: it has no line @data"):
        list(read(write("b.ts", "@problemName x\n")))
    with pytest.raises(DataError, match=r"line 1 is not a header of \.ts: it begins with 'hello'"):
        list(read(write("c.ts", "hello\n@data\n")))
    with pytest.raises(DataError, match="is not arff: it has no line @data"):
        list(read(write("d.arff", "@relation x\n@attribute a numeric\n")))
    with pytest.raises(DataError, match="is arff of another sort"):
        list(read(write("e.arff", "@relation x\n@attribute a string\n@attribute c {x}\n@data\nb,x\n")))


def test_ucr_rows_of_numbers(write):
    """The archive of 2018 (tab-separated, NaN at the end of short rows), that of 2015, and .txt (labels as floats)."""
    tabs = "1\t0.5\t-1\t2\n2\t1\t3\tNaN\n"
    spaces = "  1.0000000e+00   5.0000000e-01  -1.0  2.0\n  2.0000000e+00   1.0   3.0   4.0\n"
    commas = "-1,0.5,1,2\n1,3,4,5\n"
    assert examples(write("GunPoint_TRAIN.tsv", tabs)) == [([[0.5], [-1], [2]], "1"), ([[1], [3]], "2")]
    assert examples(write("GunPoint_TEST.txt", spaces)) == [([[0.5], [-1], [2]], "1"), ([[1], [3], [4]], "2")]
    assert examples(write("x", commas)) == [([[0.5], [1], [2]], "-1"), ([[3], [4], [5]], "1")]
    assert read(write("other.tsv", tabs)).columns == ("column_1", "column_2", "column_3", "column_4")


def test_arff_univariate(write):
    text = "% about\n@relation x\n@attribute att0 numeric\n@attribute att1 NUMERIC\n@attribute target {1,2}\n\n@DATA\n"
    assert examples(write("a.arff", text + "0.5,?,1\n"))[0][1] == "1"
    assert examples(write("b.arff", text + "0.5, 2,1\n3,4,2\n")) == [([[0.5], [2]], "1"), ([[3], [4]], "2")]
    with pytest.raises(DataError, match=r"row 1 \(line 8\): it has 2 values and there are 3 attributes"):
        examples(write("c.arff", text + "0.5,1\n"))


def test_arff_relational(write):
    text = (
        "@relation x\n@attribute relationalAtt relational\n@attribute att0 numeric\n@attribute att1 numeric\n"
        "@end relationalAtt\n@attribute activity {Standing,'Walking fast'}\n@data\n"
    )
    rows = "'1,2,3\\n4,5,6',Standing\n\"7,8\\n9,10\",'Walking fast'\n"
    with pytest.raises(DataError, match=r"row 1"):
        examples(write("bad.arff", text + "'1,2\\n3',Standing\n"))
    assert examples(write("a.arff", text + rows)) == [
        ([[1, 4], [2, 5], [3, 6]], "Standing"),
        ([[7, 9], [8, 10]], "Walking fast"),
    ]
