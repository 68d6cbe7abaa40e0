"""One thread, since the tensors are tiny; and a disk that fills up, without filling one."""

from __future__ import annotations

import resource

import pytest

from tests.training.threads import one_thread

__all__ = ["file_size_limit", "one_thread"]


@pytest.fixture
def file_size_limit():
    """A function that sets the largest size of a file in bytes; writing past it fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if size is None else size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
