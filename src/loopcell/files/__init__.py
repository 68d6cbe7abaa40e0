"""Files that are whole or not there (`atomic`), and named tensors with facts in one safe file (`tensors`)."""

from loopcell.files.atomic import atomic_write, write_in_parts

__all__ = ["atomic_write", "write_in_parts"]
