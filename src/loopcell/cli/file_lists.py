"""Flags that take several files after each other, as the files of a command do: `X.npy y.npy --val Xv.npy yv.npy`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

TAKE_FILES = frozenset({"--val", "--train"})


class FilesCommand(TyperCommand):
    """A command whose flags of files go on to the next flag, where its own files stand before the first of them.

    `FILE... --val A B` reads like `FILE... --val A --val B`. Where no file stands before `--val`, it takes one.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the flag before each of its files, and parse."""
        return super().parse_args(ctx, self._spelled_out(ctx, args))

    def _spelled_out(self, ctx: Any, args: list[str]) -> list[str]:
        parameters: list[Any] = list(self.get_params(ctx))
        options = [one for one in parameters if one.param_type_name == "option"]
        valued = {name for one in options if not one.is_flag for name in one.opts}
        required = len(parameters) - len(options)
        found, files, rest, taking = list[str](), 0, iter(args), ""
        for arg in rest:
            if arg == "--":
                return [*found, arg, *rest]
            if arg.startswith("-") and arg != "-":
                flag = arg.partition("=")[0]
                taking = flag if flag in TAKE_FILES and files >= required else ""
                found.append(arg)
                if arg in valued:
                    found.extend(value for value in [next(rest, None)] if value is not None)
            elif taking:
                found.extend([taking, arg])
            else:
                files += 1
                found.append(arg)
        return found
