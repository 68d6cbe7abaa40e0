from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from loopcell.cli import sample
from loopcell.cli.flags import flags_of, typed_as
from loopcell.cli.help_text import told
from loopcell.cli.spelling import NO_FLAG
from loopcell.cli.train_verbs import VERBS
from loopcell.cli.values import parse_sizes, parse_time
from loopcell.errors import UsageError
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.own_functions import PYTHON_ONLY
from loopcell.tasks.core.settings import ClassifierSettings
from loopcell.tasks.language_model.settings import LanguageModelSettings

LM = VERBS["lm"].flags()


def test_every_setting_has_a_flag():
    names = {field.name for field in fields(LanguageModelSettings)} - {*NO_FLAG, *PYTHON_ONLY}
    assert {flag.field for flag in LM} == names
    assert {(flag.config, flag.field) for flag in sample.FLAGS} == {
        (SamplingConfig, field) for field in SamplingConfig.model_fields
    }


def test_a_meaning_becomes_help_and_a_default():
    flags = {"hidden_size": "--hidden"}
    for meaning, help_text, otherwise in (
        ("E, the length; None for `hidden_size`.", "E, the length.", "--hidden"),
        ("the column. None: rows are counted, as `numpy` does.", "The column.", "rows are counted, as numpy does"),
        ("of what they said, et al. (1990), or else. More.", "Of what they said, et al. (1990), or else.", ""),
        ("utf-8, latin-1, ...", "Utf-8, latin-1, ...", ""),
    ):
        assert told(meaning, flags.get) == (help_text, otherwise, False)


def test_what_can_be_typed():
    for hint, kind in (
        (int, int),
        (float | None, float),
        (Optional[Path], Path),  # noqa: UP045 - as get_type_hints may give it
        (Literal["a", "b"], str),
        (Literal["a"] | None, str),
        (str | int, None),
        (dict[str, int], None),
        (Any, None),
    ):
        assert typed_as(hint) is kind


def test_flags_come_from_a_class_before_its_parents():
    settings = [flag.field for flag in flags_of(ClassifierSettings)]
    assert settings.index("pooling") < settings.index("calibrate") < settings.index("cell")
    assert settings.index("hidden_size") < settings.index("epochs")
    assert not {"progress", "embedding", "features"} & set(settings)


def test_no_flag_and_no_field_twice():
    names = [name for flag in LM for name in flag.spelling.names.split()]
    settings = [flag.field for flag in LM]
    assert len(set(names)) == len(names)
    assert len(set(settings)) == len(settings)


def test_help_shows_the_settings_own_defaults(loopcell):
    shown = re.sub(r"\s+", " ", loopcell("train", "lm", "--help").stdout)
    settings = LanguageModelSettings()
    for flag, default in (("--hidden", settings.hidden_size), ("--chunk", settings.chunk)):
        assert re.search(rf"{flag}[ ,][^\[]*\[default: {default}\]", shown)


def test_help_does_not_wait_for_torch():
    program = (
        "import sys; from typer.testing import CliRunner; from loopcell.cli import app; "
        "assert CliRunner().invoke(app, ['train', 'lm', '--help']).exit_code == 0; "
        "print([name for name in ('torch', 'numpy', 'lightning_fabric', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("written", "seconds"), [("50m", 3000), ("1h30m", 5400), ("90s", 90), ("90", 90), ("0.5h", 1800), ("1m1", 61)]
)
def test_times(written, seconds):
    assert parse_time(written) == seconds


@pytest.mark.parametrize("written", ["", "m", "0", "-5m", "5 m", "5d", "1e9"])
def test_what_is_not_a_time(written):
    with pytest.raises(UsageError, match="is not a length of time"):
        parse_time(written)


def test_sizes():
    assert parse_sizes(["proj=128", "slots=2"]) == {"proj": 128, "slots": 2}
    for wrong in ("proj", "=3", "proj=", "proj=-1", "proj=²"):
        with pytest.raises(UsageError, match="is not a size"):
            parse_sizes([wrong])
