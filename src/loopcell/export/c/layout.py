"""The ways in which the files of an export can lie: all in one folder, or as a library for Arduino and PlatformIO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcell.errors import UsageError
from loopcell.export.c.names import text

if TYPE_CHECKING:
    from loopcell.export.c.source import CSource


@dataclass(frozen=True)
class FileLayout:
    """The places of the files of an export, from its folder; "" for the folder itself.

    Attributes:
        code: the folder of NAME.h, NAME.c and NAME.hpp, with a slash at its end.
        check: that of check.c, the Makefile and NAME_wav.c.
        from_check: the way from there to the code.
    """

    code: str = ""
    check: str = ""
    from_check: str = ""


LAYOUTS: Mapping[str, FileLayout] = {"make": FileLayout(), "arduino": FileLayout("src/", "extras/check/", "../../src/")}
"""By the name that --layout takes."""


def layout_of(name: str) -> FileLayout:
    """Return a layout by its name; UsageError lists them."""
    if name not in LAYOUTS:
        raise UsageError(f"there is no layout={name!r}; there are {' and '.join(LAYOUTS)}")
    return LAYOUTS[name]


def arduino_texts(source: CSource) -> dict[str, str]:
    """Return what makes a library of the folder, by path: its two manifests, and a sketch that takes steps."""
    name = source.name
    about = f"{name}: a recurrent network that takes one step at a time"
    manifest = {
        "name": name,
        "version": _VERSION,
        "description": about,
        "keywords": ["neural network", "recurrent"],
        "headers": f"{name}.h",
        "frameworks": "*",
        "platforms": "*",
        "export": {"exclude": ["extras"]},
    }
    properties = {
        "name": name,
        "version": _VERSION,
        "author": "written by loopcell",
        "maintainer": "whoever exported it",
        "sentence": f"{about}.",
        "paragraph": "C99 without allocations, for processors of 32 bits; what it needs is in extras/REPORT.md.",
        "category": "Data Processing",
        "url": "https://pypi.org/project/loopcell/",
        "architectures": "*",
        "includes": f"{name}.h",
    }
    return {
        "library.properties": "".join(f"{key}={value}\n" for key, value in properties.items()),
        "library.json": json.dumps(manifest, indent=2) + "\n",
        f"examples/{name}/{name}.ino": _sketch(source),
    }


_VERSION = "1.0.0"


def _sketch(source: CSource) -> str:
    declared = [
        f"static int32_t {word};" if one.kind == "token" else f"static {source.number} {word}[{one.size}];"
        for word, one in ((source.quantities[one.name], one) for one in (*source.model.inputs, *source.outputs))
    ]
    words = [source.quantities[one.name] for one in (*source.model.inputs, *source.outputs)]
    shown = source.quantities[source.outputs[0].name]
    return text("sketch.ino").format(
        name=source.name,
        NAME=source.name.upper(),
        declarations="\n".join(declared),
        inputs=" and ".join(source.quantities[one.name] for one in source.model.inputs),
        arguments=", ".join(words),
        shown=shown,
        size=source.outputs[0].size,
    )
