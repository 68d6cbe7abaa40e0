"""The flags of files: how their text is read, and which columns they have."""

from __future__ import annotations

from loopcell.cli.flags import flags_of
from loopcell.tasks.core.from_files.config import FileExamples

READING = flags_of(FileExamples, "encoding", "kind", "header", "delimiter", "quote", "names")
INPUT = flags_of(FileExamples, "input")
LABEL = flags_of(FileExamples, "target")
SEPARATOR = flags_of(FileExamples, "separator")
STATIC = flags_of(FileExamples, "static")
STEPS = flags_of(FileExamples, "by", "time", "time_format", "time_input", "window", "stride")
LAST = flags_of(FileExamples, "last")
CAP = flags_of(FileExamples, "cap")
UNIT_LABELS = flags_of(FileExamples, "unit_labels")
UNIT_VALUES = flags_of(FileExamples, "statics")
CARRIED = flags_of(FileExamples, "carried")
VECTORS = flags_of(FileExamples, "vectors", "frozen")
