"""Files that are whole or not there (`atomic`), and named tensors with facts in one safe file (`tensors`)."""

from loopcell.files.atomic import atomic_write

__all__ = ["atomic_write"]
