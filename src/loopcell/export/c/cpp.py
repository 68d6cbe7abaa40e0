"""The face of an exported model for C++: one header, whose class is a stream."""

from __future__ import annotations

from loopcell.export.c.names import text
from loopcell.export.c.source import CSource


def hpp_text(source: CSource) -> str:
    """Return NAME.hpp."""
    faces = text(f"stream_{source.store}.hpp").format(
        name=source.name, NAME=source.name.upper(), stream=stream_name(source.name)
    )
    words = [source.quantities[one.name] for one in (*source.model.inputs, *source.outputs)]
    return text("stream.hpp").format(
        name=source.name,
        NAME=source.name.upper(),
        stream=stream_name(source.name),
        field="    int loaded_;\n" if source.store == "blob" else "",
        construction=faces.strip("\n"),
        parameters=", ".join(source.parameters()),
        arguments=", ".join(words),
    )


def stream_name(name: str) -> str:
    """Return the name of the class, such as KeywordStream of keyword: no word of C++ ends so."""
    return f"{name.title().replace('_', '')}Stream"
