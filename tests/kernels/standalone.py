"""A kernel's calls taken out of Python: recorded as memory, and replayed by a C program of its own (standalone.c).

So kernels run under sanitizers, and on other processors, without a Python there. What the arguments mean is not known
here: a recording is the struct `arguments`, and the tensors whose address somebody asked for; a word that is an address
in one of these is a pointer. When the arguments change, only `recorded` has to know where a library is loaded and where
the struct is made.
"""

from __future__ import annotations

import ctypes
import struct
import subprocess
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from loopcell.backends.c.launch import arguments, library
from loopcell.runtime import narrow, programs

DRIVER = Path(__file__).with_name("standalone.c")
WORD = 8
SECONDS = 300  # an emulator is slow
TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-10}  # another compiler adds in another order


@dataclass
class Region:
    """A piece of memory; `dtype` is None for the struct, which holds addresses."""

    address: int
    dtype: torch.dtype | None
    before: bytes
    after: bytes = b""


@dataclass
class Recording:
    """One call: the generated C, the function, and the memory before and after; the struct comes first."""

    source: str
    function: str
    regions: list[Region]

    def pointers(self) -> list[tuple[int, int, int, int]]:
        """Which words point where: region, place, region, place."""
        found = []
        for number, region in enumerate(self.regions):
            if region.dtype not in (None, torch.int64):
                continue
            words = struct.unpack(f"={len(region.before) // WORD}q", region.before)
            for at, word in enumerate(words):
                for to, target in enumerate(self.regions):
                    if target.address <= word < target.address + len(target.before):
                        found.append((number, at * WORD, to, word - target.address))
        return found

    def file(self) -> bytes:
        pointers = self.pointers()
        numbers = [len(self.regions), len(pointers)]
        numbers += [number for r in self.regions for number in (len(r.before), r.address % 64)]
        numbers += [number for pointer in pointers for number in pointer]
        return struct.pack(f"={len(numbers)}q", *numbers) + b"".join(region.before for region in self.regions)

    def tensors(self, content: bytes) -> list[torch.Tensor]:
        """The tensors in a file that the program wrote."""
        assert len(content) == sum(len(region.before) for region in self.regions)
        found = []
        for region in self.regions:
            piece, content = content[: len(region.before)], content[len(region.before) :]
            if region.dtype is not None:
                found.append(_tensor(piece, region.dtype))
        return found

    def expected(self) -> list[torch.Tensor]:
        """The tensors after the call in Python."""
        return [_tensor(region.after, region.dtype) for region in self.regions if region.dtype is not None]


@contextmanager
def recorded() -> Iterator[list[Recording]]:
    """Record every call of a kernel in the block: one thread, and NaN in memory that nobody has written."""
    recorder = _Recorder()
    before = torch.get_num_threads()
    build, invoke, data_ptr = library.build, arguments.invoke, torch.Tensor.data_ptr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "build", lambda source, *given: _Library(recorder, source, build(source, *given)))
        patch.setattr(arguments, "invoke", lambda function, block: invoke(function, recorder.saw(block)))
        patch.setattr(torch.Tensor, "data_ptr", lambda tensor: recorder.asked(tensor, data_ptr(tensor)))
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        _forget()
        try:
            yield recorder.recordings
        finally:
            _forget()
            torch.use_deterministic_algorithms(False)
            torch.set_num_threads(before)


def _forget():
    """Have kernels looked for anew."""
    programs.kernels_of.cache_clear()
    narrow.narrow_kernels_of.cache_clear()


@dataclass
class _Recorder:
    recordings: list[Recording] = field(default_factory=list)
    structs: dict[int, array] = field(default_factory=dict)
    tensors: dict[int, torch.Tensor] = field(default_factory=dict)

    def saw(self, arguments):
        self.structs[arguments.buffer_info()[0]] = arguments
        return arguments

    def asked(self, tensor, address):
        self.tensors[tensor.untyped_storage().data_ptr()] = tensor.detach()  # alive, so that no other takes its place
        return address

    def call(self, source, function, name, address):
        regions = [Region(address, None, self.structs[address].tobytes())]
        regions += [
            Region(start, tensor.dtype, ctypes.string_at(start, tensor.untyped_storage().nbytes()))
            for start, tensor in self.tensors.items()
            if start
        ]
        recording = Recording(source, name, _reached(regions))
        function(address)
        for region in recording.regions:
            region.after = ctypes.string_at(region.address, len(region.before))
        self.recordings.append(recording)


class _Library:
    """A loaded library whose functions are recorded."""

    def __init__(self, recorder, source, library):
        self.recorder, self.source, self.library = recorder, source, library

    def __getitem__(self, name):
        function = self.library[name]
        function.restype, function.argtypes = None, (ctypes.c_void_p,)

        def call(address):
            self.recorder.call(self.source, function, name, address)

        return call


def _reached(regions: list[Region]) -> list[Region]:
    """The regions that the first one leads to; the first one first."""
    everything = Recording("", "", regions).pointers()
    reached, found = [0], {0}
    for number in reached:
        for start, _, to, _ in everything:
            if start == number and to not in found:
                found.add(to)
                reached.append(to)
    return [regions[number] for number in reached]


def _tensor(content: bytes, dtype: torch.dtype) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)


@dataclass
class Program:
    """standalone.c with a kernel's text, compiled.

    Attributes:
        runner: words before the program, such as an emulator.
    """

    path: Path
    runner: tuple[str, ...] = ()

    @classmethod
    def of(cls, recordings: list[Recording], command: list[str], folder: Path, runner: tuple[str, ...] = ()) -> Program:
        """Compile the program for calls into one library."""
        (source,) = {recording.source for recording in recordings}
        functions = sorted({recording.function for recording in recordings})
        text, program = folder / "kernel.c", folder / "standalone"
        text.write_text(source)
        given = [f'-DKERNEL="{text}"', "-DFUNCTIONS=" + " ".join(f"F({name})" for name in functions)]
        words = [*command, "-Wall", "-Wextra", "-Werror", *given, str(DRIVER), "-o", str(program), "-lm"]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return cls(program, runner)

    def run(self, recording: Recording) -> subprocess.CompletedProcess:
        """Replay a call; `out` beside the program has the memory after it."""
        given = self.path.with_name("in")
        given.write_bytes(recording.file())
        words = [*self.runner, str(self.path), recording.function, str(given), str(self.path.with_name("out"))]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)

    def agrees(self, recording: Recording, least: float = 0.0) -> None:
        """Assert that a call gives here what it gave in Python, to the dtype's tolerance, or to a larger one."""
        result = self.run(recording)
        assert result.returncode == 0, f"{recording.function}: {result.stderr}"
        found = recording.tensors(self.path.with_name("out").read_bytes())
        for one, other in zip(found, recording.expected(), strict=True):
            tolerance = max(TOLERANCES[one.dtype], least) if one.dtype in TOLERANCES else 0.0
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
