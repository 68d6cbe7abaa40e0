"""The compilers, processors and tools that exported C is compiled with and run on, for `benchmarks.exported`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from loopcell.export.c.compiled import CompiledError, compile_files

BOOT = """extern const char _start[];
__attribute__((section(".vectors"), used)) const void *const vectors[] = {(const void *)0x20100000, _start};
"""
"""What a Cortex-M reads first: where its stack begins, and where the program does."""

# The emulated board has no arguments of its own: the shell puts the program's path and its argument where they go.
BOARD = (
    "exec qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none "
    '-semihosting-config enable=on,target=native,arg=run,arg="$2" -kernel "$1"'
)


class Build(NamedTuple):
    """One way to compile and run.

    Attributes:
        compiler: the command.
        flags: its flags.
        simd: the form of products.
        runner: words before the program's path, where another processor or a tool that watches it runs it.
        needs: further programs that have to be there.
        boots: on a board without an operating system, which begins with `BOOT`.
    """

    compiler: str
    flags: tuple[str, ...]
    simd: str
    runner: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    boots: bool = False

    @property
    def about(self) -> dict[str, str]:
        """Itself, as a row of results has it."""
        run_by = {"run_by": self.needs[0]} if self.needs else {}
        return {"compiler": self.compiler, "flags": " ".join(self.flags), "simd": self.simd, **run_by}

    def command(self, folder: Path) -> tuple[str, ...]:
        """Return the compiler and its flags for a program in a folder, and write there what it begins with."""
        if not self.boots:
            return (self.compiler, *self.flags)
        start = folder / "boot.c"
        start.write_text(BOOT, encoding="utf-8")
        places = ("--specs=rdimon.specs", "-Wl,--section-start=.vectors=0", "-Wl,-Tdata=0x20000000")
        return (self.compiler, *self.flags, *places, str(start))

    def absent(self) -> str | None:
        """Return why nothing can be compiled or run so here; None where it can."""
        missing = [name for name in (self.compiler, *self.needs) if shutil.which(name) is None]
        if missing:
            return f"{missing[0]} is not installed"
        with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
            empty = Path(scratch) / "empty.c"
            empty.write_text("int main(void) { return 0; }\n", encoding="utf-8")
            try:
                compile_files(self.command(Path(scratch)), [empty], Path(scratch) / "empty")
            except CompiledError as error:  # such as -m32 without the libraries for it
                return " ".join(str(error).split())[:200]
        return None


NATIVE = ("-O3", "-march=native", "-ffp-contract=fast")
BUILDS = (
    *(Build(one, ("-O0",), "plain") for one in ("gcc", "clang")),
    *(Build(one, ("-O3",), "plain") for one in ("gcc", "clang")),
    *(Build(one, NATIVE, "vectors") for one in ("gcc", "clang")),
    Build("gcc", ("-O2", "-m32"), "plain"),
    Build("gcc", ("-O1", "-g"), "plain", ("valgrind", "-q", "--error-exitcode=9"), ("valgrind",)),
    Build("aarch64-linux-gnu-gcc", ("-O3", "-static"), "vectors", ("qemu-aarch64",), ("qemu-aarch64",)),
    Build(
        "arm-none-eabi-gcc",
        ("-O2", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"),
        "plain",
        ("sh", "-c", BOARD, "run"),
        ("qemu-system-arm",),
        boots=True,
    ),
)


def errors_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the errors of all builds as a table of Markdown."""
    lines = [
        "| compiler and flags | products | run by | named cells | without layer normalisation | drawn cells |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        about = f"| `{row['compiler']} {row['flags']}` | {row['simd']} | {row.get('run_by', 'this processor')} |"
        if "absent" in row:
            lines.append(f"{about} {row['absent']} | | |")
            continue
        plain = max(error for name, error in row["cells"].items() if "layer_norm" not in name)
        figures = (row["error"], plain, row["error_of_drawn_cells"])
        lines.append(f"{about} {' | '.join(f'{figure:.0e}' for figure in figures)} |")
    return "\n".join(lines)
