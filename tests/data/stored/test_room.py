"""How much is held in memory: what was said, and else less where there is little."""

from __future__ import annotations

import subprocess
import sys

import pytest

from loopcell.data.stored import most_in_memory, room
from loopcell.errors import UsageError

SAID = """
import resource, sys
from loopcell.data.stored import most_in_memory
from pathlib import Path
used = int(Path("/proc/self/statm").read_text().split()[int(sys.argv[2])]) * resource.getpagesize()
resource.setrlimit(getattr(resource, sys.argv[1]), (used + (160 << 20), resource.RLIM_INFINITY))
print(most_in_memory())
"""


def test_what_was_said_holds(monkeypatch):
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "12345")
    assert most_in_memory() == 12345
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "much")
    with pytest.raises(UsageError, match="LOOPCELL_IN_MEMORY is the most bytes of a data set in memory"):
        most_in_memory()


def test_else_it_is_a_share_of_what_is_free(monkeypatch):
    monkeypatch.delenv("LOOPCELL_IN_MEMORY", raising=False)
    for free, held in (([], 1 << 30), ([1 << 40, 1 << 30], 1 << 26), ([0], 1 << 20)):
        monkeypatch.setattr(room, "_free", lambda free=free: iter(free))
        assert most_in_memory() == held


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux")
@pytest.mark.parametrize(("limit", "place"), [("RLIMIT_AS", "0"), ("RLIMIT_DATA", "5")])
def test_a_limit_of_the_process_counts(limit, place, monkeypatch):
    monkeypatch.delenv("LOOPCELL_IN_MEMORY", raising=False)
    done = subprocess.run([sys.executable, "-c", SAID, limit, place], capture_output=True, text=True, check=True)
    assert 8 << 20 < int(done.stdout) <= 10 << 20  # a sixteenth of 160 MiB
