"""Streams of networks: one that reads on, many that go on together, and where they stand as a value and as a file."""
