"""Small whole files of every kind that loopcell reads, from which hostile ones are made.

The files are made anew, in a folder for each loader; where LOOPCELL_DATA names a folder, small real files stand
beside them.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import scipy.io
import soundfile
import zstandard
from PIL import Image

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
SOUND = np.sin(np.arange(500) / 9)
TABLE = pa.table({"a": [1, 2, 3], "s": ["x", None, "z"], "l": [[1.0], [2.0, 3.0], []]})
TIMES = pa.table(
    {
        "t": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
        "d": pa.array([1, 2, 3], pa.date32()),
        "c": pa.array(["a", "b", "a"]).dictionary_encode(),
        "n": pa.array([{"x": 1}, None, {"x": 2}]),
    }
)
CSV = b'a,b\n1,"x y"\n2,z\n'
SERIES = b"date,x,y\n" + b"".join(b"2020-01-%02d,%d,0.5\n" % (day, day) for day in range(1, 29))
MONTHS = b"date,x,y\n" + b"".join(b"%d-%02d,%d,\n" % (1900 + at // 12, at % 12 + 1, at) for at in range(30))
ARFF = b"@relation x\n@attribute r relational\n@attribute a numeric\n@end r\n@attribute c {x}\n@data\n'1,2\\n3,4',x\n"
TSF = (
    b"@relation x\n@attribute name string\n@attribute start date\n@frequency monthly\n@data\n"
    b"a:2000-01-31 00-00-00:1,?,3\nb:1999-12-01 00-00-00:4\n"
)
VECTORS = b"3 2\nthe 0.5 1\nof -1 2e-3\na 0 0\n"
BINARY_VECTORS = b"2 2\nthe " + np.ones(2, "<f4").tobytes() + b"\nof " + np.zeros(2, "<f4").tobytes() + b"\n"
REAL_BYTES, MOST_REAL = 1 << 12, 40

Maker = Callable[[Path], object]


def _bytes(data: bytes) -> Maker:
    return lambda path: path.write_bytes(data)


def _stream(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, TABLE.schema) as writer:
        writer.write_table(TABLE)


MAKERS: dict[str, Maker] = {
    "a.csv": _bytes(CSV),
    "a.csv.gz": _bytes(gzip.compress(CSV)),
    "a.csv.zst": _bytes(zstandard.compress(CSV)),
    "a.tsv": _bytes(b"a\tb\n1\tx\n"),
    "a.data": _bytes(b"5.1, 3.5, one\n4.9, ?, two\n"),
    "a.jsonl": _bytes(b'{"a": 1}\n{"a": [2]}\n'),
    "a.txt": _bytes(b"one\ntwo\n"),
    "a.fa": _bytes(b">a b\nACGT\n>c\nAA\n"),
    "a.ts": _bytes(b"@problemName x\n@classLabel true a\n@data\n1,2:3,4:a\n"),
    "a.tsf": _bytes(TSF),
    "a.arff": _bytes(ARFF),
    "X_TRAIN.tsv": _bytes(b"1\t2\t3\n1\t2\tNaN\n"),
    "a.npz": lambda path: np.savez_compressed(path, X=np.arange(12.0).reshape(3, 4), y=np.arange(3)),
    "a.npy": lambda path: np.save(path, np.arange(12.0).reshape(3, 4)),
    "a.mat": lambda path: scipy.io.savemat(path, {"X": np.arange(12.0).reshape(3, 4), "y": np.arange(3)[:, None]}),
    "packed.mat": lambda path: scipy.io.savemat(path, {"X": np.arange(12.0).reshape(3, 4)}, do_compression=True),
    "a.idx": _bytes(b"\0\0\x08\x02\0\0\0\2\0\0\0\3abcdef"),
    "a.parquet": lambda path: pyarrow.parquet.write_table(TABLE, path),
    "a.feather": lambda path: pyarrow.feather.write_feather(TABLE, path),
    "a.wav": lambda path: soundfile.write(path, SOUND, 8000),
    "a.flac": lambda path: soundfile.write(path, SOUND, 8000),
    "a.png": lambda path: Image.fromarray(PIXELS).save(path),
    "a.jpg": lambda path: Image.fromarray(PIXELS).save(path),
}

# Further forms of the same kinds, for the long run.
MORE: dict[str, Maker] = {
    "stored.npz": lambda path: np.savez(path, X=np.arange(6.0).reshape(3, 2), y=np.array(["a", "b", "c"])),
    "text.npy": lambda path: np.save(path, np.array(["one", "zwölf"])),
    "times.npy": lambda path: np.save(path, np.array(["2020-01-01", "2020-01-02"], "M8[D]")),
    "a.npy.gz": lambda path: path.write_bytes(gzip.compress(_saved(np.arange(6.0)))),
    "times.parquet": lambda path: pyarrow.parquet.write_table(TIMES, path, compression="zstd"),
    "plain.parquet": lambda path: pyarrow.parquet.write_table(TABLE, path, use_dictionary=False, compression="none"),
    "times.feather": lambda path: pyarrow.feather.write_feather(TIMES, path, compression="uncompressed"),
    "stream.arrow": _stream,
    "wide.csv": _bytes(b",".join(b"c%d" % at for at in range(50)) + b"\n" + b",".join([b"1"] * 50) + b"\n"),
    "marked.csv": _bytes("\ufeffname;wert\nzwölf;1\n".encode()),
    "ko.tsv": _bytes('id\tdocument\tlabel\n1\t좋다 "정말"\t1\n2\t\t0\n'.encode()),
    "stereo.wav": lambda path: soundfile.write(path, np.stack([SOUND, -SOUND], 1), 16000, subtype="PCM_24"),
    "float.wav": lambda path: soundfile.write(path, SOUND, 8000, subtype="FLOAT"),
    "a.ogg": lambda path: soundfile.write(path, SOUND, 8000),
    "colour.png": lambda path: Image.fromarray(np.stack([PIXELS] * 3, 2)).save(path),
    "deep.png": lambda path: Image.fromarray(PIXELS.astype(np.uint16) * 900).save(path),
    "indexed.png": lambda path: Image.fromarray(PIXELS).convert("P").save(path),
    "progressive.jpg": lambda path: Image.fromarray(np.stack([PIXELS] * 3, 2)).save(path, progressive=True),
}


def _saved(array: np.ndarray[Any, Any]) -> bytes:
    import io

    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def make_corpus(folder: Path) -> None:
    """Write a file for each loader's folder: `folder/LOADER/NAME`."""
    for name, maker in {**MAKERS, **MORE}.items():
        maker(_place(folder, "read", name))
    for source in sorted((folder / "read").iterdir()):
        kind = {".wav": "sound", ".flac": "sound", ".ogg": "sound", ".png": "image", ".jpg": "image"}.get(source.suffix)
        if kind:
            _place(folder, kind, source.name).write_bytes(source.read_bytes())
    for name, data in {"a.csv": SERIES, "months.csv": MONTHS}.items():
        _place(folder, "series", name).write_bytes(data)
    for name, data in {"a.vec": VECTORS, "a.bin": BINARY_VECTORS, "a.vec.gz": gzip.compress(VECTORS)}.items():
        _place(folder, "vectors", name).write_bytes(data)
    _add_real(folder)
    _make_own(folder)
    _make_models(folder)


def _place(folder: Path, loader: str, name: str) -> Path:
    (folder / loader).mkdir(parents=True, exist_ok=True)
    return folder / loader / name


def _add_real(folder: Path) -> None:
    """Add small real files, and the beginnings of larger texts."""
    data = os.environ.get("LOOPCELL_DATA", "")
    found = sorted(path for path in Path(data).rglob("*") if path.is_file()) if data else []
    texts = (".csv", ".tsv", ".txt", ".ts", ".data", ".arff", ".jsonl", ".fa")
    chosen = [path for path in found if path.stat().st_size <= REAL_BYTES or path.suffix in texts]
    for number, path in enumerate(chosen[:MOST_REAL]):
        with path.open("rb") as file:
            start = file.read(REAL_BYTES)
        whole = start[: start.rfind(b"\n") + 1] if path.suffix in texts else start
        _place(folder, "read", f"real-{number}-{path.name}").write_bytes(whole)


def _make_own(folder: Path) -> None:
    """Make files of loopcell's own that are no models."""
    import torch

    from loopcell import State, cells
    from loopcell.data import Ragged, read, store
    from loopcell.data.text.tokens import write_tokens

    write_tokens(_place(folder, "tokens", "a.tokens"), [np.arange(50) % 7, np.arange(9)], 300)
    State(h=torch.zeros(2, 3), c=torch.ones(2, 3)).save(_place(folder, "state", "a.safetensors"))
    for name in ("gru", "lstm", "sru"):
        _place(folder, "cell", f"{name}.json").write_text(cells.get(name).to_json(), encoding="utf-8")
    Ragged.write(folder / "ragged" / "whole", [np.zeros((2, 3)), np.ones((1, 3))])
    for name in ("values.npy", "offsets.npy"):
        _place(folder, "ragged", name).write_bytes((folder / "ragged" / "whole" / name).read_bytes())
    store(read(folder / "read" / "a.csv"), folder / "store" / "whole", "a", "b")
    _place(folder, "store", "columns.json").write_bytes((folder / "store" / "whole" / "columns.json").read_bytes())


def _make_models(folder: Path) -> None:
    """Make a model of every estimator, barely trained, a state of series, and a run with its checkpoint."""
    import torch

    from loopcell.tasks import LanguageModel

    torch.manual_seed(0)
    text = "the cat sat on the mat. "
    model = LanguageModel(hidden_size=4, num_layers=1, embedding_size=3, updates=1, random_state=1, device="cpu")
    model.fit(text * 4).save(_place(folder, "model", "lm.safetensors"))
    for name, (estimator, X, y) in _estimators().items():
        fitted = estimator.fit(*((X,) if y is None else (X, y)))
        fitted.save(_place(folder, "model", f"{name}.safetensors"))
        if name == "forecaster":
            fitted.predict_next(X)[1].save(_place(folder, "series-state", "a.safetensors"))
    _make_run(folder)


QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "device": "cpu", "random_state": 0}
TEXTS = ["ab", "ba", "aab", "b"] * 4


def _estimators() -> dict[str, tuple[Any, Any, Any]]:
    """Return estimators that are quick to fit, their X and y; no y for those that have none."""
    from loopcell import (
        AnomalyDetector,
        Captioner,
        Chat,
        Forecaster,
        Seq2Seq,
        SequenceClassifier,
        SequenceRegressor,
        SequenceTagger,
        WordVectors,
    )

    wave = np.sin(np.arange(80) / 3)[:, None] + np.arange(2)
    arrays = [np.full((3, 2), float(at)) for at in range(16)]
    images = np.zeros((16, 8, 10), np.float32) + np.arange(16)[:, None, None] / 16
    labels = ["x", "y"] * 8
    series: dict[str, Any] = {"history": 8, "validation_fraction": 0.0, **QUICK}
    return {
        "classifier": (SequenceClassifier(**QUICK), TEXTS, labels),
        "classifier-arrays": (SequenceClassifier(**QUICK), arrays, labels),
        "regressor": (SequenceRegressor(**QUICK), arrays, np.arange(16.0)),
        "tagger": (SequenceTagger(**QUICK, crf=True), TEXTS, [list(text) for text in TEXTS]),
        "seq2seq": (Seq2Seq(**QUICK, embedding_size=4), TEXTS, TEXTS),
        "chat": (Chat(**QUICK, embedding_size=4, tokens="word"), [[text, text] for text in TEXTS], TEXTS),
        "captioner": (Captioner(**QUICK, channels=2), list(images), TEXTS),
        "forecaster": (Forecaster(horizon=3, **series), wave, None),
        "anomaly": (AnomalyDetector(**{**series, "validation_fraction": 0.3}), wave, None),
        "vectors": (WordVectors(vector_size=4, min_count=1, epochs=1), ["a b c", "b c d"] * 10, None),
    }


def _make_run(folder: Path) -> None:
    """Make a run that is over, in `folder/checkpoint/whole`, and its checkpoint to be changed."""
    from loopcell import SequenceClassifier
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.from_files.run import train_on_files
    from loopcell.tasks.core.models import open_files
    from loopcell.tasks.core.settings import checked

    data = _place(folder, "data", "texts.jsonl")
    data.write_text("".join(json.dumps({"text": text, "label": text[0]}) + "\n" for text in TEXTS), encoding="utf-8")
    run = folder / "checkpoint" / "whole"
    estimator = SequenceClassifier(**QUICK)
    opened = open_files(estimator.task, checked(estimator), FileExamples(files=(data,)), None)
    train_on_files(estimator, *opened, run)
    kept = run / "checkpoints" / "last.safetensors"
    _place(folder, "checkpoint", "last.safetensors").write_bytes(kept.read_bytes())
    _place(folder, "checkpoint", "config.json").write_bytes((run / "config.json").read_bytes())
