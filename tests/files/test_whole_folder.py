"""Folders that are whole or not there."""

from __future__ import annotations

import pytest

from loopcell.errors import FileWriteError, UsageError
from loopcell.files.whole_folder import demand_free, whole_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with whole_folder(tmp_path / "deep" / "out") as files:
        (files / "a").write_text("1")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "a").read_text() == "1"
    assert names(tmp_path / "deep") == ["out"]


def test_nothing_is_left_of_one_that_fails(tmp_path):
    def write():
        with whole_folder(tmp_path / "out") as files:
            (files / "a").write_text("1")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert not names(tmp_path)


def test_files_of_others_stay(tmp_path):
    out = tmp_path / "out"
    (out / "src").mkdir(parents=True)
    (out / "mine").write_text("mine")
    (out / "src" / "a").write_text("old")
    with pytest.raises(UsageError, match="is not empty"), whole_folder(out):
        pass
    with whole_folder(out, overwrite=True) as files:
        (files / "src").mkdir()
        (files / "src" / "a").write_text("new")
        (files / "b").write_text("b")
    assert {str(path.relative_to(out)) for path in out.rglob("*")} == {"mine", "src", "src/a", "b"}
    assert (out / "src" / "a").read_text() == "new"


def test_an_empty_folder_is_free_and_a_file_is_none(tmp_path):
    (tmp_path / "empty").mkdir()
    demand_free(tmp_path / "empty", overwrite=False)
    with whole_folder(tmp_path / "empty") as files:
        (files / "a").write_text("1")
    assert names(tmp_path / "empty") == ["a"]
    with pytest.raises(UsageError, match="is a file; name a folder"):
        demand_free(tmp_path / "empty" / "a", overwrite=True)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("1")
    with pytest.raises(FileWriteError, match="cannot write the folder"), whole_folder(tmp_path / "file" / "out"):
        pass
