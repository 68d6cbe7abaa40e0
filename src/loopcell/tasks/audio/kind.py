"""Telling an effect's file from others. No torch: the command line asks before loading."""

from __future__ import annotations

from loopcell.files.tensors import FileKind

KIND = FileKind("loopcell-effect", 1, "loopcell audio effect", digest=True)
