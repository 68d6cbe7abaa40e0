"""Every snippet of the documentation runs, and every command that it shows exists."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tests.docs.command_line import complaint, root_command
from tests.docs.pages import CONSOLE, PYTHON, ROOT, Block, blocks, commands, pages
from tests.docs.twins import runs_as_its_twin

pytestmark = pytest.mark.filterwarnings("error::loopcell.errors.EquationWarning")

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
RUN = [page for page in PAGES if not runs_as_its_twin(page.values[0])]
LOOPCELL = [sys.executable, "-c", "from loopcell.cli import main; main()"]


def wanted(page: Path, *languages: str) -> list[Block]:
    return [block for block in blocks(page) if block.language in languages and not block.skip]


def run_python(block: Block, namespace: dict[str, object]) -> None:
    """Run the block under its page's name and lines, so that errors and `inspect` show the page itself."""
    code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
    exec(code, namespace)


def run_commands(block: Block) -> None:
    for words in commands(block):
        assert words[0] == "loopcell", f"{block.where}: only loopcell commands can run here, not {words[0]}"
        done = subprocess.run(LOOPCELL + words[1:], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.where}: {' '.join(words)}\n{done.stdout}{done.stderr}"


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, flags=re.MULTILINE))


@pytest.mark.parametrize("page", RUN)
def test_python_blocks_run_in_order_in_one_namespace(page, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    module = types.ModuleType("snippets_of_a_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    torch.manual_seed(0)
    for block in wanted(page, PYTHON, *CONSOLE):
        if block.language == PYTHON:
            run_python(block, vars(module))
        elif block.run:
            run_commands(block)


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_a_page_shows_exist(page):
    shown = ((block, words) for block in wanted(page, *CONSOLE) for words in commands(block))
    for block, words in shown:
        if words[0] == "loopcell":
            from loopcell import cli

            wrong = complaint(root_command(cli), words[1:])
            assert wrong is None, f"{block.where}: {' '.join(words)}: {wrong}"
        elif words[0] == "make":
            unknown = [word for word in words[1:] if "=" not in word and word not in make_targets()]
            assert not unknown, f"{block.where}: the Makefile has no target {unknown[0]}"
