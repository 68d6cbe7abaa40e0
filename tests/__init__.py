"""The tests mirror src; a helper is imported as `tests.ROOM.NAME`."""
