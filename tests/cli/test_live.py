"""Live answers: a line out for a line in, going on after a stop, and lines that cannot be read."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from loopcell import load_model
from loopcell.cli import app
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

HEADER = "id,date,load,shop"
HISTORY = 8
SMALL = ["--history", HISTORY, "--horizon", 2, "--hidden", 4, "--epochs", 1, "--device", "cpu", "--seed", "1"]
COMMAND = [sys.executable, "-c", "from loopcell.cli.app import main; main()"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The runs of a forecaster and of a detector, on the rows."""
    folder = tmp_path_factory.mktemp("live")
    table = folder / "loads.csv"
    table.write_text("\n".join([HEADER, *hourly(120)]) + "\n", encoding="utf-8")
    columns = ["--time", "date", "--target", "load", "--series", "shop"]
    for verb in ("forecast", "anomaly"):
        words = ["train", verb, table, *columns, *SMALL, "--run", folder / verb]
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
    return folder


def hourly(count, shops=("a", "b")):
    """Rows of some shops in turn, hour by hour."""
    drawn = np.random.default_rng(0)
    times = np.datetime64("2024-01-01T00:00") + np.arange(count) * np.timedelta64(1, "h")
    return [
        f"{number:04d},{time},{5 + number % 7 + drawn.normal():.3f},{shop}"
        for number, time in enumerate(times)
        for shop in shops
    ]


@pytest.fixture
def live():
    """A function that answers lines, or bytes; it gives the result."""

    def call(model, lines, *flags):
        given = lines if isinstance(lines, bytes) else "".join(f"{line}\n" for line in lines).encode()
        words = ["predict", model, "-", *(flags or ["--stream"])]
        return CliRunner().invoke(app, [str(word) for word in words], input=given)

    return call


@pytest.mark.parametrize("kind", ["forecast", "anomaly"])
def test_a_line_in_is_a_line_out_and_going_on_gives_the_same_bytes(trained, live, tmp_path, kind):
    lines, state = [HEADER, *hourly(30)], tmp_path / "s"
    whole = live(trained / kind, lines)
    assert whole.exit_code == 0, whole.output
    assert whole.stdout.count("\n") == 60
    assert whole.stderr == "note: 60 rows answered\n"
    parts = [live(trained / kind, part, "--state", state) for part in (lines[:8], lines[8:33], lines[33:])]
    assert "".join(part.stdout for part in parts) == whole.stdout
    assert parts[1].stderr == f"note: 25 rows answered; the state after 32 is in {state}\n"
    first = json.loads(whole.stdout.partition("\n")[0])
    assert {name: first[name] for name in ("id", "date", "shop")} == {
        "id": "0000", "date": "2024-01-01T00:00", "shop": "a",
    }  # fmt: skip
    assert "load" not in first


def test_the_last_answer_is_the_forecast_of_the_whole_file(trained, live, loopcell, tmp_path):
    lines, file = [HEADER, *hourly(40)], tmp_path / "t.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    answers = [json.loads(line) for line in live(trained / "forecast", lines).stdout.splitlines()]
    told = [json.loads(line) for line in loopcell("predict", trained / "forecast", file).stdout.splitlines()]
    for answer, shop in zip(answers[-2:], "ab", strict=True):
        expected = [{name: row[name] for name in row if name != "series"} for row in told if row["series"] == shop]
        assert len(answer["forecast"]) == len(expected) == 2
        for step, row in zip(answer["forecast"], expected, strict=True):
            assert step["time"] == row["time"]
            numbers = [name for name in row if name != "time"]
            np.testing.assert_allclose([step[n] for n in numbers], [row[n] for n in numbers], rtol=1e-5)
    assert ["forecast" in answer for answer in answers[:16]] == [False] * 14 + [True] * 2


def test_scores_are_those_of_the_file(trained, live, loopcell, tmp_path):
    lines, file = [HEADER, *hourly(40)], tmp_path / "t.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    answers = [json.loads(line) for line in live(trained / "anomaly", lines).stdout.splitlines()]
    told = [json.loads(line) for line in loopcell("predict", trained / "anomaly", file).stdout.splitlines()]
    for shop in "ab":
        ours = [row for row in answers if row["shop"] == shop]
        theirs = [row for row in told if row["series"] == shop]
        assert [row["anomaly"] for row in ours] == [row["anomaly"] for row in theirs]
        np.testing.assert_allclose(
            [row.get("score", -1) for row in ours], [row.get("score", -1) for row in theirs], rtol=1e-4
        )


def test_a_table_of_answers(trained, live):
    result = live(trained / "forecast", [HEADER, *hourly(9)], "--stream", "--format", "csv")
    answers = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(answers[0]) == [
        "id", "date", "shop", "load_t+1", "load_t+1_0.1", "load_t+1_0.5", "load_t+1_0.9",
        "load_t+2", "load_t+2_0.1", "load_t+2_0.5", "load_t+2_0.9",
    ]  # fmt: skip
    assert answers[0]["load_t+1"] == ""
    assert float(answers[-1]["load_t+1_0.1"]) <= float(answers[-1]["load_t+1_0.9"])


ODD = {
    "CRLF": ("\r\n".join([HEADER, *hourly(10)]) + "\r\n").encode(),
    "a byte order mark": "\ufeff".encode() + "".join(f"{line}\n" for line in [HEADER, *hourly(10)]).encode(),
    "no end": "\n".join([HEADER, *hourly(10)]).encode(),
    "blank lines": "\n\n".join([HEADER, *hourly(10), ""]).encode(),
    "the header again": "".join(f"{line}\n" for line in [HEADER, *hourly(10)[:7], HEADER, *hourly(10)[7:]]).encode(),
    "semicolons": "".join(f"{line}\n" for line in [HEADER, *hourly(10)]).replace(",", ";").encode(),
    "JSON": "".join(
        json.dumps(dict(zip(HEADER.split(","), row.split(","), strict=True))) + "\n" for row in hourly(10)
    ).encode(),
    "other order": "".join(
        ",".join(reversed(line.split(","))) + "\n" for line in [HEADER, *hourly(10)]
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_lines_in_other_forms_have_the_same_answers(trained, live, odd):
    plain = live(trained / "forecast", [HEADER, *hourly(10)])
    result = live(trained / "forecast", ODD[odd])
    assert result.exit_code == 0, result.output
    expected, found = ([json.loads(line) for line in one.stdout.splitlines()] for one in (plain, result))
    assert found == expected
    notes = {
        "no end": "note: standard input line 21 has no end: it is read as it stands\n",
        "blank lines": "note: 21 blank lines left out\n",
        "semicolons": "note: cells are separated by ';', as it seems; --delimiter ... says otherwise\n",
    }
    assert notes.get(odd, "") in result.stderr


def test_without_a_header(trained, live, tmp_path):
    lines, state = hourly(20), tmp_path / "s"
    expected = live(trained / "forecast", [HEADER, *lines]).stdout
    assert live(trained / "forecast", lines, "--stream", "--columns", HEADER).stdout == expected
    refused = live(trained / "forecast", lines)
    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[-1] == (
        "error: standard input line 1 is no header, and has 4 cells where the model reads 3 columns (date, shop, load)"
        ": begin with the header, or name all columns in order (--columns)"
    )
    live(trained / "forecast", [HEADER, *lines[:5]], "--state", state)  # the state knows the columns
    rest = live(trained / "forecast", lines[5:], "--state", state)
    assert rest.stdout == "".join(expected.splitlines(keepends=True)[5:])
    guessed = live(trained / "forecast", [",".join(row.split(",")[i] for i in (1, 3, 2)) for row in lines])
    assert (
        "note: the first line is no header: its cells are taken as date, shop, load; --columns ... says"
        in guessed.stderr
    )
    assert [json.loads(line).get("forecast") for line in guessed.stdout.splitlines()] == [
        json.loads(line).get("forecast") for line in expected.splitlines()
    ]


LONG = "9," + "1" * (1 << 20)
BAD = {
    "other cells": ("7,8", "standard input line 12: it has 2 cells and there are 4 columns (id, date, load, shop)"),
    "a text": (
        "1,2024-01-01T05:00,high,b",
        "standard input row 11 (line 12), column 'load': 'high' is not a number",
    ),
    "going back": (
        "1,2024-01-01T02:00,5,b",
        (
            "standard input row 11 (line 12): series 'b': the new rows begin at 2024-01-01 02:00, and it was read up "
            "to 2024-01-01 04:00 already"
        ),
    ),
    "a gap": ("1,2024-01-01T09:00,5,b", "series 'b': a gap: it was read up to 2024-01-01 04:00"),
    "no time": ("1,soon,5,b", "standard input row 11 (line 12): 'soon' is no time"),
    "no series": ("1,2024-01-01T05:00,5,", "the row does not say which series it belongs to"),
    "no UTF-8": (b"1,2024-01-01T05:00,\xff,b", "standard input line 12 is not utf-8 text: byte 0xff"),
    "an open quote": ('1,"2024,5,b', 'standard input line 12: a quote " opens here and never closes'),
    "a megabyte": (LONG, "standard input line 12: it has 2 cells and there are 4 columns"),
    "infinite": ("1,2024-01-01T05:00,inf,b", "the value is infinite"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_line_that_cannot_be_read_stops_or_is_skipped(trained, live, tmp_path, kind):
    bad, sentence = BAD[kind]
    lines, state = [HEADER, *hourly(20)], tmp_path / "s"
    broken = bad if isinstance(bad, bytes) else bad.encode()
    given = "".join(f"{line}\n" for line in lines[:11]).encode() + broken + b"\n"
    given += "".join(f"{line}\n" for line in lines[11:]).encode()
    expected = live(trained / "forecast", lines).stdout
    stopped = live(trained / "forecast", given, "--state", state)
    assert stopped.exit_code == 1
    assert stopped.stdout == "".join(expected.splitlines(keepends=True)[:10])
    error = stopped.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert sentence in error
    assert len(error) < 2100
    rest = live(trained / "forecast", lines[11:], "--state", state)  # the state is that before the line
    assert stopped.stdout + rest.stdout == expected
    skipped = live(trained / "forecast", given, "--stream", "--on-error", "skip")
    assert skipped.exit_code == 0
    assert skipped.stdout == expected
    assert f"skipped: {error.removeprefix('error: ')}\n" in skipped.stderr
    assert skipped.stderr.endswith("note: 40 rows answered\nnote: 1 line skipped, as said above\n")


@pytest.mark.parametrize(
    ("kind", "at", "lost"), [("forecast", 4, 3), ("forecast", 30, 5), ("forecast", 30, 300), ("anomaly", 30, 5)]
)
def test_a_stream_goes_on_after_lines_that_are_skipped(trained, live, tmp_path, kind, at, lost):
    """Bad lines in the place of rows, and rows that never came: while rows are only read, and later."""
    rows = [row for row in hourly(at + lost + 20) if row.endswith(",a")]
    bad = [re.sub(r"[\d.]+,a$", "bad,a", row) for row in rows[at : at + lost]]
    anew = at < HISTORY or lost > 100
    for between in (bad, []):
        given = [HEADER, *rows[:at], *between, *rows[at + lost :]]
        result = live(trained / kind, given, "--stream", "--on-error", "skip")
        assert result.exit_code == 0
        unbelieved = 0 if between else 2 if lost > 100 else 1  # rows after a gap that no line announced
        assert result.stderr.count("skipped: ") == len(between) + unbelieved
        assert ("begins anew at" if anew else "without values, as if empty") in result.stderr
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["id"] for one in answers[at:]] == [row[:4] for row in rows[at + lost + unbelieved :]]
        assert ("forecast" if kind == "forecast" else "score") in answers[-1]
    state = tmp_path / "s"  # a stop between the line that was skipped and the next one
    live(trained / kind, [HEADER, *rows[:at], *bad], "--state", state, "--on-error", "skip")
    after = live(trained / kind, rows[at + lost :], "--state", state, "--on-error", "skip")
    assert "skipped" not in after.stderr


def test_a_line_without_an_end_is_bounded(trained, live, monkeypatch):
    monkeypatch.setenv("LOOPCELL_LONGEST_LINE", "1000")
    lines = [HEADER, *hourly(4)]
    given = "".join(f"{line}\n" for line in lines[:3]).encode() + b"1" * 100_000 + b"\n"
    given += "".join(f"{line}\n" for line in lines[3:]).encode() + b"2" * 5000
    result = live(trained / "forecast", given, "--stream", "--on-error", "skip")
    assert result.stdout == live(trained / "forecast", lines).stdout
    assert "skipped: standard input line 4 is longer than 1,000 bytes: this is no text" in result.stderr
    assert "skipped: standard input line 11 is longer" in result.stderr


def test_a_state_that_is_none_of_the_model_stays_as_it_is(trained, live, tmp_path):
    lines, state = [HEADER, *hourly(10)], tmp_path / "s"
    assert live(trained / "anomaly", lines, "--state", state).exit_code == 0
    before = state.read_bytes()
    cases = [
        (
            before,
            f"error: {state} is the state of another kind of model (anomaly-detector), not of this one (forecaster)\n",
        ),
        (before[:-7], f"error: {state} is not a loopcell state of a stream, or not a whole one\n"),
        (b"", f"error: {state} is not a loopcell state of a stream, or not a whole one\n"),
        ((trained / "forecast/model.safetensors").read_bytes(), f"error: {state} is not a loopcell state of a stream"),
    ]
    for content, sentence in cases:
        state.write_bytes(content)
        result = live(trained / "forecast", lines, "--state", state)
        assert result.exit_code in (1, 2)
        assert result.stdout == ""
        assert result.stderr.startswith(sentence), result.stderr
        assert state.read_bytes() == content


def test_answers_go_to_a_file_as_they_come(trained, live, tmp_path):
    model, rows = trained / "forecast", hourly(20)
    words = ("--stream", "--format", "csv")
    whole = live(model, [HEADER, *rows], *words).stdout
    out, state = tmp_path / "out.csv", tmp_path / "s"
    for part in (rows[:12], rows[12:]):
        found = live(model, [HEADER, *part], *words, "--state", state, "-o", out)
        assert found.exit_code == 0, found.output
        assert found.stdout == ""
    assert out.read_text(encoding="utf-8") == whole  # one header
    again = live(model, [HEADER, *rows], *words, "-o", out)
    assert "out.csv is there already" in again.stderr
    assert "Parquet is written as a whole" in live(model, [HEADER], "--stream", "-o", tmp_path / "o.parquet").stderr


def test_a_row_that_cannot_be_answered_and_a_state_that_cannot_be_written(trained, live, loopcell, tmp_path):
    lines = [HEADER, *hourly(3)]
    for state, sentence in ((tmp_path / "none" / "s", "its folder does not exist"), (tmp_path, "a folder has that")):
        for words in (("--stream", "--state", state), ("--no-stream", "--kind", "csv", "--state", state)):
            result = live(trained / "forecast", lines, *words)
            assert sentence in result.stderr
            assert not result.stdout
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    refused = loopcell("predict", trained / "anomaly", tmp_path / "t.csv", "--state", tmp_path / "s")
    assert "an AnomalyDetector keeps a state from row to row" in refused.stderr
    assert "loopcell stream MODEL --state S < FILE" in refused.stderr


def test_what_does_not_go_together_is_refused(trained, live, loopcell, run, tmp_path):
    model = trained / "forecast"
    lines = [HEADER, *hourly(3)]
    assert "--stream answers the lines of standard input" in loopcell("predict", model, "x.csv", "--stream").stderr
    assert "--plot is for what has an end" in live(model, lines, "--stream", "--plot", tmp_path / "p.png").stderr
    assert "nothing can be written there" in live(model, lines, "--state", "/proc/s").stderr
    assert "no single byte ends a line" in live(model, lines, "--stream", "--encoding", "utf-16").stderr
    whole = live(
        model, [HEADER, *hourly(20)], "--no-stream", "--kind", "csv", "--state", tmp_path / "series"
    )  # one forecast of each
    assert whole.stdout.count("\n") == 4
    wrong = live(model, lines, "--state", tmp_path / "series")
    assert "its format is 'loopcell-series-state', not 'loopcell-stream-state'" in wrong.stderr


def test_a_text_line_by_line(run, live):
    lines = ["the cat sat on the mat.", "", "the dog zzz"]
    result = live(run, lines)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["tokens"] for answer in answers] == [len(line) + 1 for line in lines]
    text = "".join(f"{line}\n" for line in lines)
    model = load_model(run)
    assert sum(answer["bits"] for answer in answers) == pytest.approx(-model.score(text) * (len(text) - 1), rel=1e-4)
    shares = model.predict_proba([text])[0]
    best = int(shares.argmax())
    assert answers[-1]["next"][model.vocabulary_.decode([best])] == pytest.approx(shares[best], rel=1e-5)


# --- processes -----------------------------------------------------------------------------------------------------


def started(model, *flags):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LOOPCELL_BACKEND": "reference"}
    words = [str(word) for word in (*COMMAND, "predict", model, "-", *flags)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def give(process, lines):
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.flush()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_answer_comes_at_once_and_a_signal_ends_in_order(trained, live, tmp_path, number):
    lines, state = [HEADER, *hourly(20)], tmp_path / "s"
    expected = live(trained / "forecast", lines).stdout.splitlines(keepends=True)
    process = started(trained / "forecast", "--state", state, "--state-every", 4)
    give(process, lines[:2])
    found = [process.stdout.readline().decode()]  # before a second row was given
    give(process, lines[2:11])
    found += [process.stdout.readline().decode() for _ in range(9)]
    assert state.exists()  # after 4 rows and 8
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors.decode().endswith(f"note: 10 rows answered; the state after 10 is in {state}\n")
    rest = live(trained / "forecast", lines[11:], "--state", state)
    numbers = [
        [json.loads(line).get("forecast") for line in part] for part in ([*found, *rest.stdout.splitlines()], expected)
    ]
    assert numbers[0] == numbers[1]


def test_a_reader_that_has_enough_is_a_quiet_end(trained, tmp_path):
    state = tmp_path / "s"
    process = started(trained / "forecast", "--state", state)
    give(process, [HEADER, *hourly(2)])
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    give(process, hourly(6)[4:])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors
    assert b"error" not in errors
    assert state.exists()
