"""The command line: one file a verb. Nothing heavy is imported before a verb needs it."""

from loopcell.cli.app import app, main

__all__ = ["app", "main"]
