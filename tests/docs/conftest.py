"""The site, built once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from filelock import FileLock

from tests.docs.pages import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site, built as `make docs` builds it, by the first worker that asks for it."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "site"
    built = shared.with_suffix(".whole")
    with FileLock(shared.with_suffix(".lock")):
        if not built.exists():
            program = [sys.executable, ROOT / "scripts" / "build_site.py", shared]
            done = subprocess.run(program, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            built.touch()
    return shared
