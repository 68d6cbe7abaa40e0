"""The room for a data set in memory: less where the process may have little."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from loopcell.data.limits import Limit

IN_MEMORY = Limit("LOOPCELL_IN_MEMORY", 1 << 30, "bytes of a data set in memory")
LEAST = 1 << 20
SHARE = 16  # of the free memory, for one array of a data set: a training has several, each twice while it is made


def most_in_memory() -> int:
    """Return how many bytes of one array of a data set are held in memory; what has more is stored in a file.

    It is what LOOPCELL_IN_MEMORY says, else a gigabyte, or a sixteenth of what the process may still take where that is
    less: of the machine's free memory, of the group's that a container or a batch system sets, of `ulimit -v` and
    `-d`. Whatever it is, the same numbers come out.

    Raises:
        UsageError: the variable is no whole number above 0.
    """
    most = IN_MEMORY.most()
    if os.environ.get(IN_MEMORY.variable):
        return most
    return max(LEAST, min([most, *(free // SHARE for free in _free())]))


def _free() -> Iterator[int]:
    """Yield the bytes that each limit leaves, as far as this system tells them."""
    with suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        sizes = [int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in Path("/proc/self/statm").read_text().split()]
        for limit, used in ((resource.RLIMIT_AS, sizes[0]), (resource.RLIMIT_DATA, sizes[5])):
            soft, _ = resource.getrlimit(limit)
            if soft != resource.RLIM_INFINITY:
                yield max(0, soft - used)
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        yield 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        yield max(0, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
