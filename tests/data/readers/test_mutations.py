"""A file of any kind with wrong bytes in it is read, or refused in a sentence; nothing else escapes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.fuzz_corpus import MAKERS
from benchmarks.fuzz_mutations import mutated
from loopcell.data import read, read_audio
from loopcell.data.features import read_image
from loopcell.data.readers.kinds import KINDS, kind_of
from loopcell.errors import LoopcellError


def complaint(path: Path) -> str | None:
    """Read everything in a file; what is said against it, if anything is."""
    try:
        for record in read(path):
            if "path" in record.values:
                (read_image if path.suffix in {".png", ".jpg"} else read_audio)(path)
    except LoopcellError as error:
        return str(error)
    return None


def test_every_kind_of_file_is_tried(tmp_path):
    for name, make in MAKERS.items():
        make(tmp_path / name)
    lacks = sorted(set(KINDS) - {kind_of(path).name for path in tmp_path.iterdir()})
    assert not lacks, f"MAKERS of benchmarks/fuzz_corpus.py makes no file of kind {', '.join(lacks)}"


@pytest.mark.parametrize("name", MAKERS)
def test_wrong_bytes(tmp_path, name):
    path = tmp_path / name
    MAKERS[name](path)
    assert complaint(path) is None
    data, drawn, complaints = path.read_bytes(), random.Random(name), []
    for _ in range(60):
        path.write_bytes(mutated(data, drawn))
        complaints.append(complaint(path))
    assert any(complaints)
    assert all(str(path) in said for said in complaints if said is not None)
