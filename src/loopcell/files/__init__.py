"""Files that are whole or not there (`atomic`), named tensors with facts in one safe file (`tensors`), the cache."""

from loopcell.files.atomic import atomic_write, write_in_parts
from loopcell.files.folders import cache_folder

__all__ = ["atomic_write", "cache_folder", "write_in_parts"]
