"""Weights as a file of their own, and the folder as a library for Arduino and PlatformIO."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest

from loopcell import GRU
from loopcell.errors import UsageError
from loopcell.export import CForm, to_c
from loopcell.export.c.blob import blob, offsets
from loopcell.export.c.compiled import STRICT, compile_program
from loopcell.export.c.source import CSource
from loopcell.export.step_model import step_model_of
from tests.export.c.models import CLANG, GCC, HOUSE, network, prove, source_of, whole_model

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
GXX, MAKE = shutil.which("g++"), shutil.which("make")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def in_a_blob(model, simd="plain", weights="float32"):
    source = source_of(model, simd, weights)
    return CSource(source.model, source.name, source.form, "blob")


def make_check(folder):
    command = ["make", "-C", str(folder), "check", f"CC={' '.join(HOUSE)}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# --- weights as a blob ----------------------------------------------------------------------------------------------


def test_a_blob_holds_every_array_where_the_code_looks_for_it():
    source = in_a_blob(whole_model(), "vectors", "int8")
    made = blob(source)
    mark, first, second, _, size = struct.unpack("<5I", made[:20])
    assert (mark.to_bytes(4, "little"), size) == (b"LCW1", len(made))
    assert f"{first:08x}{second:08x}" == source.identity
    assert struct.unpack("<I", made[-4:]) == (zlib.crc32(made[:-4]),)
    for array, begin in zip(source.arrays, offsets(source.arrays), strict=True):
        assert np.array_equal(np.frombuffer(made, array.values.dtype, array.values.size, begin), array.values)


@pytest.mark.parametrize(
    ("simd", "weights"), [("plain", "float32"), ("vectors", "bfloat16"), ("plain", "int8"), ("vectors", "int8")]
)
def test_a_blob_answers_with_the_bits_of_arrays(simd, weights, tmp_path):
    model = whole_model()
    (tmp_path / "arrays").mkdir()
    compiler = GCC or HOUSE[0]
    prove(in_a_blob(model, simd, weights), tmp_path, compiler, *SANITIZED)
    _, recorded = prove(source_of(model, simd, weights), tmp_path / "arrays", compiler, "-O1")
    programs = [
        compile_program(source, folder, (compiler, *STRICT, "-O1"))
        for source, folder in (
            (in_a_blob(model, simd, weights), tmp_path),
            (source_of(model, simd, weights), tmp_path / "arrays"),
        )
    ]
    one, other = (program.steps(recorded.inputs) for program in programs)
    for name, values in one.items():
        assert np.array_equal(values, other[name])


LOADS = """
#include <stdio.h>
#include <string.h>
#include "net.h"

static union { unsigned char bytes[NET_WEIGHT_BYTES + 8]; uint32_t aligned; } file;

int main(int count, char **words) {
    net_model model;
    FILE *from = count > 1 ? fopen(words[1], "rb") : NULL;
    size_t bytes = from ? fread(file.bytes, 1, sizeof file.bytes, from) : 0;
    const int status = net_load(&model, file.bytes, bytes);
    if (net_load(&model, NULL, NET_WEIGHT_BYTES) != NET_BAD_WEIGHTS) return 8;
    memmove(file.bytes + 1, file.bytes, NET_WEIGHT_BYTES);
    if (net_load(&model, file.bytes + 1, bytes) != NET_BAD_WEIGHTS) return 9;
    return status;
}
"""


def test_every_blob_but_the_models_own_is_refused(tmp_path):
    """Hostile files: cut, longer, one bit flipped anywhere, of other weights, other form, the other order of bytes."""
    net = network("gru")
    source = in_a_blob(net)
    (tmp_path / "net.h").write_text(source.header(), encoding="utf-8")
    (tmp_path / "net.c").write_text(source.code(), encoding="utf-8")
    (tmp_path / "main.c").write_text(LOADS, encoding="utf-8")
    files = [str(tmp_path / name) for name in ("net.c", "main.c")]
    subprocess.run([GCC or HOUSE[0], *STRICT, *SANITIZED, *files, "-o", str(tmp_path / "main")], check=True)

    def loaded(content):
        (tmp_path / "weights").write_bytes(content)
        return subprocess.run([str(tmp_path / "main"), str(tmp_path / "weights")], check=False).returncode

    good = blob(source)
    assert loaded(good) == 0
    rng = np.random.default_rng(0)
    bad = [b"", good[:-1], good + b"\0", good[4:], bytes(len(good))]
    bad += [blob(in_a_blob(network("gru", seed=1)))]
    bad += [blob(in_a_blob(net, "vectors")), blob(in_a_blob(net, weights="int8"))]
    bad += [np.frombuffer(good, "<u4").byteswap().tobytes()]
    for place in rng.integers(len(good), size=20):
        changed = bytearray(good)
        changed[place] ^= 1 << int(rng.integers(8))
        bad.append(bytes(changed))
    assert {loaded(content) for content in bad} == {3}


@pytest.mark.skipif(MAKE is None, reason="there is no make")
def test_the_folder_of_a_blob_checks_itself(tmp_path):
    report = to_c(whole_model(), tmp_path, name="net", form=CForm(store="blob"), drift_steps=0)
    assert (tmp_path / "net.weights").stat().st_size >= report.weight_bytes
    assert "static const float" not in (tmp_path / "net.c").read_text(encoding="utf-8")
    assert "OK" in make_check(tmp_path).stdout
    content = bytearray((tmp_path / "net.weights").read_bytes())
    content[200] ^= 1
    (tmp_path / "net.weights").write_bytes(content)
    assert "setting up: FAILED" in make_check(tmp_path).stdout


@pytest.mark.skipif(GXX is None, reason="asks g++")
def test_the_class_of_cpp_says_whether_weights_were_taken(tmp_path):
    to_c(GRU(3, 5), tmp_path, name="net", form=CForm(store="blob"), drift_steps=0)
    (tmp_path / "main.cpp").write_text(
        '#include "net.hpp"\nalignas(4) static const unsigned char bytes[NET_WEIGHT_BYTES] = {1};\n'
        "int main() { return NetStream(bytes, sizeof bytes).loaded() == NET_BAD_WEIGHTS ? 0 : 1; }\n",
        encoding="utf-8",
    )
    built_with_cpp(tmp_path, tmp_path / "main.cpp", tmp_path / "net.c")


# --- a library for Arduino ------------------------------------------------------------------------------------------

ARDUINO = """
#include <cstdio>
struct { void begin(long) {} template <class T> void print(T v) { ++said; (void)v; }
         template <class T> void println(T v) { (void)v; } int said = 0; } Serial;
static unsigned long micros() { return 7; }
static void delay(unsigned long) {}
#include SKETCH
int main() { setup(); loop(); loop(); return Serial.said > 2 ? 0 : 1; }
"""


def built_with_cpp(folder, main, code, *flags):
    subprocess.run([HOUSE[0], *HOUSE[1:], "-std=c99", "-c", str(code), "-o", str(folder / "code.o")], check=True)
    strict = ("-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", f"-I{code.parent}")
    files = (str(main), str(folder / "code.o"), "-o", str(folder / "main"))
    subprocess.run([GXX, *strict, *flags, *files], check=True)
    subprocess.run([str(folder / "main")], check=True)


@pytest.mark.skipif(GXX is None, reason="asks g++")
def test_a_library_of_arduino_has_its_places_and_a_sketch_that_runs(tmp_path):
    folder = tmp_path / "net"
    to_c(whole_model(), folder, name="net", form=CForm(layout="arduino"), drift_steps=0)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "examples/net/net.ino", "extras/REPORT.md", "extras/check/Makefile", "extras/check/check.c",
        "extras/report.json", "library.json", "library.properties", "src/net.c", "src/net.h", "src/net.hpp",
    ]  # fmt: skip
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text("utf-8").splitlines())
    wanted = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert wanted <= set(properties)
    assert properties["includes"] == json.loads((folder / "library.json").read_text("utf-8"))["headers"] == "net.h"
    (tmp_path / "main.cpp").write_text(ARDUINO, encoding="utf-8")
    sketch = f'-DSKETCH="{folder / "examples/net/net.ino"}"'
    built_with_cpp(tmp_path, tmp_path / "main.cpp", folder / "src" / "net.c", sketch)
    if MAKE is not None:
        assert "OK" in make_check(folder / "extras" / "check").stdout


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (CForm(store="disk"), "there is no store='disk'; there are arrays and blob"),
        (CForm(layout="cmake"), "there is no layout='cmake'; there are make and arduino"),
        (CForm(store="blob", layout="arduino"), "a library of Arduino has its weights in the code"),
    ],
)
def test_forms_that_there_are_not(form, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        to_c(GRU(3, 5), tmp_path / "out", form=form)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(CLANG is None, reason="asks Clang")
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_clang_has_nothing_against_a_blob(weights, tmp_path):
    prove(in_a_blob(step_model_of(network("lstm")), "vectors", weights), tmp_path, CLANG, "-O2")
