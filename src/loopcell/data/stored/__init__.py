"""Data sets that are more than memory: how much of one is held, and what lies in files while it is needed."""

from loopcell.data.stored.array import StoredArray
from loopcell.data.stored.room import most_in_memory
from loopcell.data.stored.temporary import beside, place_of_files, stored_note, temporary_file

__all__ = ["StoredArray", "beside", "most_in_memory", "place_of_files", "stored_note", "temporary_file"]
