"""What a full disk looks like to a test."""

from tests.training.conftest import file_size_limit

__all__ = ["file_size_limit"]
