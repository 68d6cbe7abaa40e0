"""Compile Triton kernels for devices that need not be here, and read what each asks of its device."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Attributes = Mapping[tuple[int, ...], list[list[Any]]]


@dataclass(frozen=True)
class Device:
    """A kind of device.

    Attributes:
        capability: its compute capability, such as 90 for 9.0.
        name: cards that have it.
        shared: bytes of shared memory that one program may have.
        processors: multiprocessors.
    """

    capability: int
    name: str
    shared: int
    processors: int


DEVICES = (
    Device(80, "A100", 163 * 1024, 108),
    Device(90, "H100, H200", 227 * 1024, 132),
    Device(100, "B200", 227 * 1024, 148),
)
"""NVIDIA, CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability"."""


@dataclass(frozen=True)
class Variant:
    """A kernel with everything that it is compiled for.

    Attributes:
        cell: the cell whose equations it has.
        kind: which kernel of the cell.
        dtype: of the tensors, as Triton spells it.
        function: Triton's.
        text: of its module.
        signature: types of the arguments, as Triton spells them; "constexpr" for constants.
        constants: values of the constants, by name.
        options: warps, stages.
        aligned: what is known of arguments by their places, as Triton spells it: multiples of 16 where sizes are.
    """

    cell: str
    kind: str
    dtype: str
    function: Any
    text: str
    signature: Mapping[str, str]
    constants: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    aligned: Attributes = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that tables have for it."""
        return f"{self.cell} {self.kind} {self.dtype}"

    def fingerprint(self, device: Device) -> str:
        """Return a hash of all that is compiled, and for what: where it is the same, so is the result."""
        given = (self.signature, self.constants, self.options, self.aligned)
        words = [self.text, *(str(sorted(part.items(), key=str)) for part in given), str(device.capability)]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Resources:
    """The needs of a compiled kernel.

    Attributes:
        registers: of a thread.
        stack: bytes of a thread that did not fit into registers.
        shared: bytes of shared memory of a program.
        cubin: bytes of machine code.
        seconds: that compiling took.
    """

    registers: int
    stack: int
    shared: int
    cubin: int
    seconds: float


def compiled(variant: Variant, device: Device) -> Resources:
    """Compile a kernel for a device. Neither the device nor a driver is needed.

    Raises:
        RuntimeError: the compiler refused it, or ended its process.
    """
    import triton.compiler  # noqa: F401 - once, and not in each process

    # In a process of its own: where LLVM meets what it thinks impossible, it ends the process.
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_answer, args=(there, variant, device))
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        process.join()
        found = f"the compiler ended its process ({process.exitcode})"
    process.join()
    if isinstance(found, str):
        raise RuntimeError(found)
    assert isinstance(found, Resources)
    return found


def _answer(there: Connection, variant: Variant, device: Device) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LLVM's last words are pages long
    try:
        there.send(_compiled(variant, device))
    except Exception as error:  # noqa: BLE001 - the compiler may refuse in any way
        there.send(f"{type(error).__name__}: {error}".splitlines()[0][:200])


def _compiled(variant: Variant, device: Device) -> Resources:
    from triton import compile as compile_source
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(variant.function, dict(variant.signature), dict(variant.constants), dict(variant.aligned))
    begin = time.perf_counter()
    options = {"enable_fp_fusion": True, **variant.options}
    kernel = compile_source(source, target=GPUTarget("cuda", device.capability, 32), options=options)
    seconds = time.perf_counter() - begin
    used = _usage(kernel.asm["cubin"])
    # What a launch asks for comes on top of what the machine code says of itself.
    shared = used["SHARED"] + kernel.metadata.shared
    return Resources(used["REG"], used["STACK"] + used["LOCAL"], shared, len(kernel.asm["cubin"]), round(seconds, 2))


def complaints(name: str, resources: Resources, device: Device) -> Iterator[str]:
    """Yield what is wrong with a compiled kernel: registers that spill, more shared memory than there is."""
    if resources.stack:
        yield f"{name} on sm_{device.capability} spills: {resources.stack} bytes of stack a thread"
    if resources.shared > device.shared:
        yield f"{name} on sm_{device.capability} asks for {resources.shared} bytes of shared memory of {device.shared}"


def _usage(cubin: bytes) -> dict[str, int]:
    """Return what `cuobjdump --dump-resource-usage` says of a kernel, such as {"REG": 56, "STACK": 0, ...}."""
    import triton

    program = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        done = subprocess.run([program, "--dump-resource-usage", path], capture_output=True, text=True, check=True)
    found = {name: int(number) for name, number in re.findall(r"\b([A-Z]+):(\d+)", done.stdout)}
    return {name: found[name] for name in ("REG", "STACK", "SHARED", "LOCAL")}
