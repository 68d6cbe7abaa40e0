"""py.typed: a type checker knows what the public names take and give, in a client's own file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy comes with the extra `dev`")
CLIENT = Path(__file__).parent / "client.py"
SOURCES = Path(__file__).parents[2] / "src"


@pytest.mark.slow
def test_a_client_is_typed(tmp_path):
    settings = tmp_path / "mypy.ini"
    # Of the project's own settings none: a client has others. The library is found as an installed one is.
    settings.write_text(f"[mypy]\nstrict = True\ncache_dir = {tmp_path / 'cache'}\n", encoding="utf-8")
    words = ["-m", "mypy", "--config-file", str(settings), "--no-error-summary", str(CLIENT)]
    place = {**os.environ, "MYPYPATH": str(SOURCES)}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=place, cwd=tmp_path
    )
    found = [line for line in done.stdout.splitlines() if str(CLIENT.name) in line]
    assert not found, "\n".join(found)
