"""A file of any kind with wrong bytes in it is read, or refused in a sentence; nothing else escapes."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import soundfile
import zstandard
from PIL import Image

from loopcell.data import read, read_audio, read_image
from loopcell.errors import LoopcellError

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
SOUND = np.sin(np.arange(500) / 9)
TABLE = pa.table({"a": [1, 2, 3], "s": ["x", None, "z"], "l": [[1.0], [2.0, 3.0], []]})
CSV = b'a,b\n1,"x y"\n2,z\n'
ARFF = b"@relation x\n@attribute r relational\n@attribute a numeric\n@end r\n@attribute c {x}\n@data\n'1,2\\n3,4',x\n"

MAKERS: dict[str, Callable[[Path], object]] = {
    "a.csv": lambda path: path.write_bytes(CSV),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV)),
    "a.csv.zst": lambda path: path.write_bytes(zstandard.compress(CSV)),
    "a.tsv": lambda path: path.write_bytes(b"a\tb\n1\tx\n"),
    "a.jsonl": lambda path: path.write_bytes(b'{"a": 1}\n{"a": [2]}\n'),
    "a.txt": lambda path: path.write_bytes(b"one\ntwo\n"),
    "a.fa": lambda path: path.write_bytes(b">a b\nACGT\n>c\nAA\n"),
    "a.ts": lambda path: path.write_bytes(b"@problemName x\n@classLabel true a\n@data\n1,2:3,4:a\n"),
    "a.arff": lambda path: path.write_bytes(ARFF),
    "X_TRAIN.tsv": lambda path: path.write_bytes(b"1\t2\t3\n1\t2\tNaN\n"),
    "a.npz": lambda path: np.savez_compressed(path, X=np.arange(12.0).reshape(3, 4), y=np.arange(3)),
    "a.npy": lambda path: np.save(path, np.arange(12.0).reshape(3, 4)),
    "a.idx": lambda path: path.write_bytes(b"\0\0\x08\x02\0\0\0\2\0\0\0\3abcdef"),
    "a.parquet": lambda path: pyarrow.parquet.write_table(TABLE, path),
    "a.feather": lambda path: pyarrow.feather.write_feather(TABLE, path),
    "a.wav": lambda path: soundfile.write(path, SOUND, 8000),
    "a.flac": lambda path: soundfile.write(path, SOUND, 8000),
    "a.png": lambda path: Image.fromarray(PIXELS).save(path),
    "a.jpg": lambda path: Image.fromarray(PIXELS).save(path),
}


def mutated(data: bytes, drawn: random.Random) -> bytes:
    """Change bytes, cut the end off, put bytes in, or write a number that is as large as numbers get."""
    found = bytearray(data)
    for _ in range(drawn.randint(1, 4)):
        at = drawn.randrange(len(found) + 1)
        what = drawn.random()
        if what < 0.6:
            found[at : at + 1] = drawn.randbytes(1)
        elif what < 0.7:
            del found[at:]
        elif what < 0.85:
            found[at:at] = drawn.randbytes(drawn.randint(1, 8))
        else:
            found[at : at + 4] = drawn.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
    return bytes(found)


def complaint(path: Path) -> str | None:
    """Read everything in a file; what is said against it, if anything is."""
    try:
        for record in read(path):
            if "path" in record.values:
                (read_image if path.suffix in {".png", ".jpg"} else read_audio)(path)
    except LoopcellError as error:
        return str(error)
    return None


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
