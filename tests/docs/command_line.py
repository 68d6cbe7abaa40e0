"""Whether a command line that a page shows exists: its verbs and its options."""

from __future__ import annotations

import re

import typer


def root_command(module):
    """The tree of commands that Typer builds from the outermost app that `module` holds."""
    apps = [value for value in vars(module).values() if isinstance(value, typer.Typer)]
    inner = [group.typer_instance for app in apps for group in app.registered_groups]
    (outermost,) = (app for app in apps if app not in inner)
    return typer.main.get_command(outermost)


def complaint(command, words: list[str]) -> str | None:
    """What is wrong with `words` as arguments of `command`: a verb or an option that does not exist."""
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        if words[0] not in command.commands:
            return f"no verb {words[0]} (there are: {', '.join(sorted(command.commands))})"
        command, words = command.commands[words[0]], words[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    known.add("--help")
    for word in words:
        if word == "--":
            return None
        option = word.split("=")[0]
        if re.match(r"--?[A-Za-z]", word) and option not in known:
            return f"no option {option} (there are: {', '.join(sorted(known))})"
    return None
