"""A model's C as WebAssembly: the code around it that JavaScript calls, and the compiler."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

from loopcell.backends.c.toolchain.target import run
from loopcell.errors import CheckFailed, MissingExtraError
from loopcell.export.c.source import CSource

EXTRA = 'pip install "loopcell[wasm]"'
_SECONDS = 600

# A machine without a system: no libc, and nothing that JavaScript would have to bring. simd128 is in every browser
# since 2023, and has no fused multiply-add, so that the numbers are those of C compiled without it.
_FLAGS = (
    *("-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory", "-std=c99", "-O3", "-ffp-contract=off"),
    *("-nostdlib", "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all"),
)


def compile_wasm(source: CSource, folder: Path) -> bytes:
    """Compile a model.

    Args:
        source: the model.
        folder: an empty one, for the C and what comes of it.

    Raises:
        MissingExtraError: the compiler is not installed.
        CheckFailed: it refused the C.
    """
    texts = {f"{source.name}.h": source.header(), f"{source.name}.c": source.code(), "shim.c": shim_text(source)}
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8")
    made = folder / f"{source.name}.wasm"
    files = [str(folder / f"{source.name}.c"), str(folder / "shim.c")]
    try:
        done = run((*_compiler(), *_FLAGS, *files, "-o", str(made)), seconds=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise CheckFailed(f"the compiler of WebAssembly could not be run: {error}") from error
    if done.returncode:
        raise CheckFailed(f"the compiler of WebAssembly refused the C of {source.name}:\n{done.stderr[:1500]}")
    return made.read_bytes()


def demand_compiler() -> None:
    """Refuse to begin without a compiler; MissingExtraError says what to install."""
    _compiler()


def _compiler() -> tuple[str, ...]:
    if importlib.util.find_spec("ziglang") is None:
        raise MissingExtraError(f"WebAssembly needs a compiler that makes it, ziglang: {EXTRA}")
    return sys.executable, "-m", "ziglang", "cc"


def shim_text(source: CSource) -> str:
    """Return the C between the model and JavaScript, which knows addresses of inputs and outputs by their number."""
    inputs = [(source.quantities[one.name], one) for one in source.model.inputs]
    outputs = [(source.quantities[one.name], one.size) for one in source.outputs]
    words = [*(word for word, _ in inputs), *(word for word, _ in outputs)]
    buffers = [
        f"static int32_t in_{word};" if one.kind == "token" else f"static float in_{word}[{one.size}];"
        for word, one in inputs
    ]
    buffers += [f"static float out_{word}[{size}];" for word, size in outputs]
    given = [f"in_{word}" for word, _ in inputs]
    answers = [f"out_{word}" for word, _ in outputs]
    tokens = {word for word, one in inputs if one.kind == "token"}
    places = [f"&{name}" if name.removeprefix("in_") in tokens else name for name in given] + answers
    assert len(words) == len(places)
    fill = {
        "name": source.name,
        "NAME": source.name.upper(),
        "buffers": "\n".join(buffers),
        "addresses": ", ".join(places),
        "arguments": ", ".join((*given, *answers)),
        "outputs": ", ".join(answers),
    }
    parts = ["shim.c", "sound.c"] if source.model.frames else ["shim.c"]
    return "".join(piece(part).format_map(fill) for part in parts)


@cache
def piece(name: str) -> str:
    """Return one of the texts in the folder text/."""
    return (Path(__file__).parent / "text" / name).read_text(encoding="utf-8")
