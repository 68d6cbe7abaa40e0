"""Entries that have to be taken."""

import pytest

from loopcell.errors import FileFormatError
from loopcell.importing.contents import Contents, listed


def test_what_nobody_took_is_named():
    contents = Contents("the file", {"a": 1, "b": 2, "c\x1b": 3})
    assert contents.take("a") == 1 and contents.taken == ("a",)  # noqa: PT018
    with pytest.raises(FileFormatError, match=r"the file has `b`, `c\\x1b`, of which the importer makes nothing"):
        contents.finish()
    contents.take_all(["b", "c\x1b", "d"])
    contents.finish()


def test_what_is_asked_for_and_missing_is_named():
    with pytest.raises(FileFormatError, match="the file has no 'z'; it has `a`"):
        Contents("the file", {"a": 1}).take("z")


@pytest.mark.parametrize("value", [0, 5, True, 2.0, "2", None])
def test_sizes_are_whole_numbers_within_bounds(value):
    with pytest.raises(FileFormatError, match=r"n=.* of the file is not a whole number from 1 to 4"):
        Contents("the file", {"n": value}).whole("n", most=4)


def test_values_that_have_to_be_one_of_some():
    contents = Contents("the file", {"mode": "sum", "flag": 1})
    assert contents.flag("flag", False) is True and contents.flag("other", False) is False  # noqa: PT018
    contents.expect("absent", None, why="")
    with pytest.raises(FileFormatError, match="the file has mode='sum', and only concat is read"):
        contents.expect("mode", "concat", why="and only concat is read")


def test_many_names_are_counted():
    assert listed(f"n{place}" for place in range(11)).endswith("`n7` and 3 more")
    assert listed([]) == "nothing"
