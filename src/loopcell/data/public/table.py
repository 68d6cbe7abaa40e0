"""The table of public data sets, from `sets.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class PublicFile:
    """One file of a data set, or one folder.

    Attributes:
        name: its name, without the ending of a compression.
        sha256: of its content, decompressed.
        addresses: where it is, in the order in which they are tried.
        zipped: whether the addresses lead to a zip archive that has it.
        unpack: for a folder: the addresses lead to a `.tar.gz`, of which the files with this part in their path and
            this ending belong to it.
    """

    name: str
    sha256: str
    addresses: tuple[str, ...]
    zipped: bool = False
    unpack: tuple[str, str] | None = None


@dataclass(frozen=True)
class PublicSet:
    """A data set.

    Attributes:
        name: what `fetch` takes.
        about: one line.
        source: who made it, and where.
        licence: as its source states it.
        files: its files.
    """

    name: str
    about: str
    source: str
    licence: str
    files: tuple[PublicFile, ...]


@cache
def public_sets() -> Mapping[str, PublicSet]:
    """Return every data set by its name."""
    text = resources.files("loopcell.data.public").joinpath("sets.toml").read_text(encoding="utf-8")
    return {
        name: PublicSet(name, one["about"], one["source"], one["licence"], tuple(_files(one["groups"])))
        for name, one in tomllib.loads(text).items()
    }


def _files(groups: list[dict[str, Any]]) -> Iterator[PublicFile]:
    for group in groups:
        unpack = tuple(group["unpack"]) if "unpack" in group else None
        for name, sha256 in group["files"].items():
            own = name.removeprefix(group.get("prefix", ""))
            addresses = tuple(group["address"].format(name=own, ref=ref) for ref in group.get("refs", [""]))
            yield PublicFile(name, sha256, addresses, group.get("zip", False), unpack)
