"""Two thousand hostile files, and that a loader which takes them wrongly is noticed, whether it errs, hangs or dies."""

from __future__ import annotations

import gzip
import json
import random
import time
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz_corpus, fuzz_files, fuzz_files_part, fuzz_loaders, fuzz_mutations
from benchmarks.fuzz_loaders import LOADERS, Loader, drawn_case, read_whole, try_case
from benchmarks.machine import code
from benchmarks.results import SuiteFile
from loopcell.errors import DataError
from tests.training.threads import one_thread

__all__ = ["one_thread"]

CASES = 2000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LOOPCELL_DATA", raising=False)
        fuzz_corpus.make_corpus(folder)
    return folder


def test_there_are_files_for_every_loader(corpus):
    assert {path.name for path in corpus.iterdir() if path.name != "data"} == set(LOADERS)
    assert sum(loader.share for loader in LOADERS.values()) == 1000
    from loopcell.tasks.core.models import TASKS

    assert len({json.loads(_header(path)["task"]) for path in (corpus / "model").iterdir()}) == len(TASKS)


def _header(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def test_hostile_files_are_read_or_refused(corpus, tmp_path):
    read_whole(corpus, tmp_path)
    outcomes = [try_case(seed, corpus, tmp_path) for seed in range(CASES)]
    assert [f"seed {seed}: {one.loader}: {one.why}" for seed, one in enumerate(outcomes) if one.what == "failed"] == []
    what = Counter(one.what for one in outcomes)
    assert what["refused"] > CASES / 4
    assert what["read"] > CASES / 10
    assert what["unforeseen"] < CASES / 200
    assert {one.loader for one in outcomes} >= set(LOADERS) - {"checkpoint"}


@pytest.mark.parametrize("seed", range(3))
def test_a_run_goes_on_or_is_refused_with_a_hostile_checkpoint(corpus, tmp_path, seed):
    assert try_case(seed, corpus, tmp_path, "checkpoint").what in ("read", "refused")


def test_a_seed_is_a_file(corpus):
    assert drawn_case(5, corpus) == drawn_case(5, corpus)
    assert len({drawn_case(seed, corpus)[2] for seed in range(100)}) > 90


def test_what_is_packed_is_changed_inside_and_packed_as_it_should_be():
    data = b"one\n" * 100
    packed = BytesIO()
    np.savez(packed, X=np.zeros(30))
    opened = 0
    for seed in range(40):
        drawn = random.Random(seed)
        opened += _opens(
            lambda drawn=drawn: gzip.decompress(fuzz_mutations.hostile(gzip.compress(data), drawn)) != data
        )
        opened += _opens(lambda drawn=drawn: zipfile.ZipFile(BytesIO(fuzz_mutations.hostile(packed.getvalue(), drawn))))
    assert opened > 40


def _opens(unpack) -> bool:
    try:
        return bool(unpack())
    except Exception:  # noqa: BLE001 - what is damaged may raise anything
        return False


@pytest.fixture
def planted(corpus, tmp_path, monkeypatch):
    """Try one case with a loader that does something else."""

    def plant(load):
        monkeypatch.setitem(fuzz_loaders.LOADERS, "tokens", Loader(load, 20))
        return try_case(0, corpus, tmp_path, "tokens")

    return plant


def _raise(error):
    raise error


def test_foreign_exceptions_are_failures_with_the_line_of_ours(planted):
    found = planted(lambda path: {}[path])
    assert found.what == "failed"
    assert found.why.startswith("KeyError in ")


def test_sentences_are_looked_at(planted):
    assert planted(lambda path: _raise(DataError(f"{path} is bad"))).what == "refused"
    assert planted(lambda path: _raise(DataError(f"{path} cannot be read (KeyError: 'x')"))).why == "KeyError (.tokens)"
    assert "a sentence of more than 2,000 characters" in planted(lambda path: _raise(_raw("x" * 3000))).why
    assert r"a sentence with '\x1b'" in planted(lambda path: _raise(_raw("bad \x1b[31m"))).why


def _raw(message):
    """An error whose message did not go through `readable`, as those of other libraries."""
    error = DataError("")
    error.args = (message,)
    return error


def test_time_and_memory_are_limits(planted, monkeypatch):
    monkeypatch.setattr(fuzz_loaders, "MEGABYTES", 50.0)
    found = planted(lambda path: np.ones(80 << 17))
    assert found.why == "it took more than 50 MB (a.tokens)"
    monkeypatch.setattr(fuzz_loaders, "SECONDS", 0.05)
    assert planted(lambda path: _busy(0.1)).why == "it took more than 0.05 s (a.tokens)"
    monkeypatch.setattr(fuzz_loaders, "LAST_SECONDS", 0.1)
    assert planted(lambda path: _busy(60)).why.startswith("_TooLongError in ")


def _busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def test_a_crash_is_one_files_failure_and_every_other_file_is_counted_once(monkeypatch, tmp_path):
    """The process dies at seed 1,100, then at 1,700; counts are written each 500 files."""
    started = []

    def process(seeds, corpus, lines, left_out):
        started.append((seeds[0], tuple(left_out)))
        with lines.open("w") as file:
            for seed in seeds:
                if seed in (1100, 1700) and seed not in left_out:
                    lines.with_suffix(".at").write_bytes(seed.to_bytes(8, "little"))
                    file.write('{"next": ')  # cut off
                    return "the process ended with -11"
                if seed == 1050:
                    file.write('{"seed": 1050, "loader": "read", "why": "KeyError"}\n')
                if (seed + 1) % 500 == 0:
                    done = seed + 1 - seeds[0] - sum(seeds[0] <= one <= seed for one in left_out)
                    counts = {"read: read": done - (1050 in range(seeds[0], seed)), "read: failed": 0}
                    counts["read: failed"] = done - counts["read: read"]
                    most = {"seconds": seed / 1e4, "megabytes": 1.0}
                    file.write(json.dumps({"next": seed + 1, "counts": counts, "most": most}) + "\n")
        return ""

    kept = []
    monkeypatch.setattr(fuzz_files, "_process", process)
    monkeypatch.setattr(fuzz_files, "_keep", lambda failures, place: kept.extend(failures))
    row = fuzz_files.run_batch(fuzz_files.Batch(0, 2000), fuzz_files.Place(tmp_path, tmp_path))
    assert started == [(0, ()), (1000, (1100,)), (1500, (1100, 1700))]
    assert (row["cases"], row["read"], row["failed"], row["crashed"]) == (2000, 1997, 1, 2)
    assert sorted(failure["seed"] for failure in kept) == [1050, 1100, 1700]
    assert row["faults"] == {"read: KeyError": 1, "process: the process ended with -11": 2}


def test_batches_that_are_there_are_not_run_again(monkeypatch, tmp_path):
    ran = []
    row = {"cases": 1, "unforeseen": 0, "failed": 0, "crashed": 0, "minutes": 0.1, "faults": {}, "code": "old"}
    monkeypatch.setattr(fuzz_files, "run_batch", lambda batch, place: ran.append(batch.number) or row)
    batches = [fuzz_files.Batch(number) for number in range(3)]
    file = SuiteFile(tmp_path / "fuzz_files.json", {})
    file.add(batches[1].name, [row])
    place = fuzz_files.Place(tmp_path, tmp_path)
    fuzz_files.run(batches, file, place, minutes=1, workers=1)
    assert ran == [0, 2]
    fuzz_files.run([fuzz_files.Batch(9)], file, place, minutes=0, workers=1)
    assert ran == [0, 2]
    file.add(batches[0].name, [{**row, "failed": 1, "code": code()}])  # as it is
    file.add(batches[1].name, [{**row, "failed": 1}])  # may be mended by now
    fuzz_files.run(batches, file, place, minutes=1, workers=1)
    assert ran == [0, 2, 1]


def test_a_process_writes_counts_and_failures(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz_files_part, "REPORT", 4)
    monkeypatch.setattr(fuzz_files_part, "read_whole", lambda *folders: None)
    outcome = fuzz_loaders.Outcome("read", "refused", "", 0.1, 2.0)
    bad = outcome._replace(what="failed", why="KeyError", seconds=99.0)
    monkeypatch.setattr(fuzz_files_part, "try_case", lambda seed, *folders: bad if seed == 9 else outcome)
    fuzz_files_part.run(range(8, 15), corpus, tmp_path / "lines.jsonl", frozenset({13}))
    found = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    most = {"seconds": 0.1, "megabytes": 2.0}
    assert found == [
        {"seed": 9, "loader": "read", "why": "KeyError"},
        {"next": 12, "counts": {"read: refused": 3, "read: failed": 1}, "most": most},
        {"next": 15, "counts": {"read: refused": 5, "read: failed": 1}, "most": most},
    ]
    assert (tmp_path / "lines.at").read_bytes() == (14).to_bytes(8, "little")
