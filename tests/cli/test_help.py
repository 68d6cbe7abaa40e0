"""Help: a flag means one thing in every verb, every verb ends in two examples, and these run."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from loopcell.cli import app
from loopcell.cli.examples import EXAMPLES
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]


def verbs(group, before=""):
    """Every command's function by what is typed for it: `cells`, `train lm`, ..."""
    found = {f"{before}{command.name}": command.callback for command in group.registered_commands}
    for inner in group.registered_groups:
        found |= verbs(inner.typer_instance, f"{before}{inner.name} ")
    return found


VERBS = verbs(app)


def flags(command):
    """Every flag of a command that help shows: its name, its type, and the beginning of its help."""
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, info = get_args(parameter.annotation) or (parameter.annotation, None)
        if isinstance(info, typer.models.OptionInfo) and not info.hidden:
            written = (info.default, *(info.param_decls or ()))  # Typer takes the first name for a default
            names = [name for name in written if isinstance(name, str) and name.startswith("--")]
            for name in names or [f"--{parameter.name.replace('_', '-')}"]:
                shown = str(getattr(kind, "__name__", kind)).removesuffix(" | None").removeprefix("pathlib.")
                yield name, shown, re.split(r"[:;.]", info.help)[0]


def test_a_flag_has_one_meaning_in_all_verbs():
    """Its name, with or without a `--no-`, stands for one type and one beginning of its help."""
    found = {}
    for verb, command in VERBS.items():
        for name, *meaning in flags(command):
            found.setdefault(name.partition("/")[0], {}).setdefault((name, *meaning), []).append(verb)
    assert len(found) > 90
    several = [f"{name}: {meanings}" for name, meanings in found.items() if len(meanings) > 1]
    assert not several, "say it in the same words, or name another flag in cli/spelling.py:\n" + "\n".join(several)


@pytest.mark.parametrize(
    ("command", "note"),
    [
        ("train vectors no.txt --size 3", "--size is called --vector-size now"),
        ("train vectors no.txt --window 3", "--window is called --context now"),
        ("train vectors no.txt --ngrams 3-6", "--ngrams is called --char-ngrams now"),
        ("train chat no.csv --history 2", "--history is called --turns now"),
        ("chat no.safetensors --history 2", "--history is called --turns now"),
        ("train anomaly no.csv --target x --label y", "--label is called --anomalies now"),
        ("cells gru --input 3", "--input is called --input-size now"),
    ],
)
def test_a_flag_that_was_renamed_is_still_taken(loopcell, command, note):
    verb = " ".join(command.split()[: 2 if command.startswith("train") else 1])
    result = loopcell(*command.split())
    assert result.stderr.startswith(f"note: {note}\n")
    shown = loopcell(*verb.split(), "--help").stdout
    assert note.split()[0] not in re.findall(r"--[\w-]+", shown)


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_in_two_examples(loopcell, verb):
    lines = loopcell(*verb.split(), "--help").stdout.rstrip().splitlines()
    assert [line.strip() for line in lines[-3:]] == ["Examples:", *EXAMPLES[verb]]
    assert all(line.startswith(f"loopcell {verb} ") or line == f"loopcell {verb}" for line in EXAMPLES[verb])


def test_there_are_no_examples_of_other_verbs():
    assert EXAMPLES.keys() == VERBS.keys()


CELL = """
from loopcell import cell

@cell
def leaky(x, h, *, W):
    h = 0.5 * h + W.h @ x
    return h
"""


def lines(folder: Path, name: str, *texts: str) -> None:
    (folder / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files that the examples name, small."""
    folder = tmp_path_factory.mktemp("examples")
    drawn = np.random.default_rng(0)
    novel = ["The sea was calm .", "The cat sat on the mat .", "A dog ran to the sea ."] * 30
    for name in ("novel.txt", "songs.txt", "poems.txt"):
        lines(folder, name, *novel)
    reviews = ["a good film about the sea,for", "a bad film about a dog,against"] * 20
    for name in ("reviews.csv", "more.csv", "new.csv"):
        lines(folder, name, "text,opinion", *reviews)
    for name, count in (("", 40), ("val", 10)):
        np.save(folder / f"X{name}.npy", drawn.normal(size=(count, 5, 2)).astype(np.float32))
        np.save(folder / f"y{name}.npy", np.arange(count) % 2)
    readings = [{"readings": drawn.normal(size=6).tolist(), "hours": float(number)} for number in range(40)]
    lines(folder, "machines.jsonl", *map(json.dumps, readings))
    lines(folder, "boxes.csv", "width,height,depth,weight", *(f"{n},{n + 1},{n + 2},{3 * n}" for n in range(40)))
    tagged = {"tokens": ["Ann", "sees", "Bob"], "tags": ["B-PER", "O", "B-PER"]}
    lines(folder, "sentences.jsonl", *[json.dumps(tagged)] * 40)
    steps = (f"{n // 20},{n % 7},{n % 5},{n % 3},{'yes' if n % 4 else 'no'}" for n in range(400))
    lines(folder, "steps.csv", "wearer,x,y,z,freezing", *steps)
    lines(folder, "german.txt", *["das Haus", "der Hund"] * 20)
    lines(folder, "english.txt", *["the house", "the dog"] * 20)
    lines(folder, "pairs.tsv", "german\tenglish", *["das Haus\tthe house", "der Hund\tthe dog"] * 20)
    lines(folder, "talk.csv", "said,answer", *["hi,hello", "bye,see you"] * 20)
    pictures(folder, drawn)
    sounds(folder, drawn)
    days = np.datetime64("2024-01-01") + np.arange(320)
    lines(folder, "loads.csv", "date,load", *(f"{day},{10 + n % 7}" for n, day in enumerate(days)))
    sold = [f"{day},{shop},{5 + n % 7},{int(n % 7 == 0)}" for shop in "ab" for n, day in enumerate(days)]
    lines(folder, "sales.csv", "date,shop,sold,holiday", *sold)
    pump = (f"{day},{n % 7 + drawn.normal():.3f},{drawn.normal():.3f},{int(n == 310)}" for n, day in enumerate(days))
    lines(folder, "pump.csv", "date,pressure,heat,broken", *pump)
    hours = np.datetime64("2016-07-01T00") + np.arange(3000)
    lines(folder, "ETTh1.csv", "date,HUFL,OT", *(f"{hour},{n % 24},{n % 7}" for n, hour in enumerate(hours)))
    (folder / "mine.py").write_text(CELL, encoding="utf-8")
    return folder


def pictures(folder: Path, drawn: np.random.Generator) -> None:
    from PIL import Image

    for number in range(4):
        Image.fromarray(drawn.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{number}.png")
    lines(folder, "pictures.csv", "file,caption", *(f"{n % 4}.png,number {n % 4}" for n in range(20)))


def sounds(folder: Path, drawn: np.random.Generator) -> None:
    """A recording, and a run of which only the model is there: what tags its frames."""
    import soundfile

    from loopcell import SequenceTagger
    from loopcell.data import LogMel

    features = LogMel(8000)
    X = [drawn.normal(0, 0.1, 2000).astype(np.float32) for _ in range(10)]
    soundfile.write(folder / "word.wav", X[0], 8000)
    (folder / "runs" / "sounds").mkdir(parents=True)
    model = SequenceTagger(features=features, hidden_size=4, epochs=1, device="cpu", progress=False)
    model.fit(X, [["a", "b"] * (len(features(x)) // 2) + ["a"] * (len(features(x)) % 2) for x in X])
    model.save(folder / "runs" / "sounds" / "model.safetensors")


SMALL = {"train": ["--epochs", "1", "--hidden", "4", "--device", "cpu"], "resume": ["--epochs", "1"]}
SMALL["compare"] = [*SMALL["train"], "--seeds", "1"]
SMALL["tune"] = ["--epochs", "1", "--device", "cpu"]
PROBLEM = ["--updates", "2", "--distances", "5", "--hidden", "4", "--seeds", "1"]
OWN = {
    "compare recall": PROBLEM,
    "compare adding": PROBLEM,
    "compare copying": PROBLEM,
    "compare lm": [*SMALL["train"], "--seeds", "1", "--layers", "1", "--seq-length", "16", "--batch-size", "2"],
    "compare forecast": [*SMALL["train"], "--seeds", "1", "--history", "8"],
    "tune lm": [*SMALL["tune"], "--layers", "1", "--seq-length", "16", "--batch-size", "2"],
    "train lm": [*SMALL["train"], "--layers", "1", "--seq-length", "16", "--batch-size", "2"],
    "train vectors": ["--epochs", "1", "--min-count", "1", "--vector-size", "4"],
    "train forecast": [*SMALL["train"], "--history", "8"],
    "train anomaly": [*SMALL["train"], "--history", "8"],
    "recipe ett": ["--small", "--seeds", "1", "--path", "ETTh1.csv"],
}


@pytest.fixture(scope="module")
def results(folder):
    """What became of each example, run in the folder of its files with a small model and one pass over the data."""
    found, runner = {}, CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for verb, examples in EXAMPLES.items():
            for example in examples:
                words, _, read = example.partition(" < ")
                typed = (folder / read).read_bytes() if read else b"hi\n"
                small = OWN.get(verb, SMALL.get(verb.split()[0], []))
                found[example] = runner.invoke(app, [*shlex.split(words)[1:], *small], input=typed)
    return found


@pytest.mark.parametrize("example", [example for examples in EXAMPLES.values() for example in examples])
def test_an_example_runs(results, example):
    result = results[example]
    assert result.exit_code == 0, result.output
    assert "is called" not in result.stderr  # under a name from before
    assert result.stdout or "--output" in example


def test_the_examples_leave_what_they_say(results, folder):
    named = {word for example in results for word in example.split() if word.startswith("runs/")}
    assert all((folder / run / "model.safetensors").is_file() for run in named)
    assert len((folder / "opinions.csv").read_text(encoding="utf-8").splitlines()) == 1 + 40  # below the columns' names
