"""Whole files made hostile: bytes changed anywhere, and inside of what packs them, so that the first check passes."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from typing import Any

import zstandard

NUMBERS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x01\0\0\0")
TEXTS = (
    b"1e999",
    b"-1",
    b"99999999999999999999",
    b"nan",
    b'"',
    b"\n",
    b"\r",
    b"\t",
    b",",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"\\ud800",
    b"\x1b[31m",
    b"{" * 200,
    b"[" * 2000,
    b"a" * 5000,
    b"0" * 400,
    b"1" * 5000,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    1000,
    2**31,
    2**63,
    10**400,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "x" * 3000,
    "\x1b[31m",
    "\ud800",
    "../../x",
    "__class__",
    [],
    [[]],
    [0] * 300,
    {},
    {"x": {}},
)


def mutated(data: bytes, drawn: random.Random) -> bytes:
    """Change bytes, cut the end off, put bytes in, or write a number that is as large as numbers get."""
    found = bytearray(data)
    for _ in range(drawn.choice((1, 1, 2, 4))):
        at = drawn.randrange(len(found) + 1)
        what = drawn.random()
        if what < 0.5:
            found[at : at + 1] = drawn.randbytes(1)
        elif what < 0.58:
            del found[at:]
        elif what < 0.7:
            found[at:at] = drawn.randbytes(drawn.randint(1, 8))
        elif what < 0.8:
            found[at : at + 4] = drawn.choice(NUMBERS)
        elif what < 0.9:
            found[at:at] = drawn.choice(TEXTS)
        else:
            _moved(found, at, drawn)
    return bytes(found)


def _moved(found: bytearray, at: int, drawn: random.Random) -> None:
    """Put a segment of the file somewhere else again."""
    start = drawn.randrange(len(found) + 1)
    segment = bytes(found[start : start + drawn.randint(1, 64)])
    found[at:at] = segment * drawn.choice((1, 1, 1, 50))


def hostile(data: bytes, drawn: random.Random) -> bytes:
    """Change a file: its bytes, or what is packed in it, packed again as it should be."""
    unpack = _unpacker(data)
    if unpack is None or drawn.random() < 0.3:
        return mutated(data, drawn)
    changed: bytes = unpack(data, drawn)
    return changed


def _unpacker(data: bytes) -> Any:
    """Return the function that packs a file again after a change inside of it; None for what is not packed."""
    found = next((unpack for start, unpack in _UNPACKERS.items() if data.startswith(start)), None)
    if found is _json and b"\n{" in data:  # JSON lines are text
        return None
    own = len(data) > 9 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data)
    return found or (_safetensors if own else None)


def _gzip(data: bytes, drawn: random.Random) -> bytes:
    return gzip.compress(hostile(gzip.decompress(data), drawn), mtime=0)


def _zstd(data: bytes, drawn: random.Random) -> bytes:
    return zstandard.compress(mutated(zstandard.ZstdDecompressor().decompressobj().decompress(data), drawn))


def _zip(data: bytes, drawn: random.Random) -> bytes:
    file = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(file, "w", drawn.choice(methods)) as packed:
        chosen = drawn.choice(archive.namelist())
        for name in archive.namelist():
            content = archive.read(name)
            packed.writestr(name, mutated(content, drawn) if name == chosen else content)
    return mutated(file.getvalue(), drawn) if drawn.random() < 0.2 else file.getvalue()


def _tokens(data: bytes, drawn: random.Random) -> bytes:
    """Return a token file whose header and starts have right checksums, over wrong fields."""
    found = bytearray(data)
    at = drawn.randrange(8, 48)
    found[at : at + 1] = drawn.randbytes(1)
    size = struct.calcsize("<8sHHxxxxQQQIII")
    found[size : size + 4] = struct.pack("<I", zlib.crc32(found[:size]))
    return bytes(found)


def _safetensors(data: bytes, drawn: random.Random) -> bytes:
    """Return one of our files whose JSON has another value somewhere, at any depth, in a header that is whole again."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    facts = header["__metadata__"] if "__metadata__" in header and drawn.random() < 0.85 else header
    name = drawn.choice(sorted(facts))
    if facts is not header:
        try:
            inner = json.loads(facts[name])
        except ValueError:
            inner = facts[name]
        for _ in range(drawn.choice((1, 1, 1, 2, 3))):
            inner = _changed(inner, drawn)
        facts[name] = json.dumps(inner)
    else:
        header[name] = _changed(header[name], drawn)
    packed = json.dumps(header).encode("utf-8", "surrogatepass")
    return len(packed).to_bytes(8, "little") + packed + data[8 + size :]


def _json(data: bytes, drawn: random.Random) -> bytes:
    try:
        return json.dumps(_changed(json.loads(data), drawn)).encode()
    except ValueError:
        return mutated(data, drawn)


_UNPACKERS = {
    b"\x1f\x8b": _gzip,
    b"\x28\xb5\x2f\xfd": _zstd,
    b"PK\x03\x04": _zip,
    b"LOOPTOK\n": _tokens,
    b"{": _json,
}


def _changed(value: Any, drawn: random.Random) -> Any:
    """Return a value of JSON with a change in one place."""
    if value and drawn.random() < 0.92:
        if isinstance(value, dict):
            return _changed_object(value, drawn)
        if isinstance(value, list):
            return _changed_list(value, drawn)
    if isinstance(value, int | float) and not isinstance(value, bool) and drawn.random() < 0.5:
        return value + drawn.choice((-1, 1, 2, 7, 100, 2**20))
    return drawn.choice(VALUES)


def _changed_object(value: dict[str, Any], drawn: random.Random) -> dict[str, Any]:
    name, what = drawn.choice(sorted(value)), drawn.random()
    if what < 0.06:
        return {key: kept for key, kept in value.items() if key != name}
    if what < 0.12:
        other = drawn.choice(TEXTS).decode("latin-1")
        return {(other if key == name else key): kept for key, kept in value.items()}
    return {**value, name: _changed(value[name], drawn)}


def _changed_list(value: list[Any], drawn: random.Random) -> list[Any]:
    at, what = drawn.randrange(len(value)), drawn.random()
    if what < 0.06:
        return value[:at] + value[at + 1 :]
    if what < 0.12:
        return value[: at + 1] + value[at:]
    return [*value[:at], _changed(value[at], drawn), *value[at + 1 :]]
