"""The header for C++: streams as objects, which can be copied, saved and loaded."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from loopcell.export import to_c
from loopcell.export.c.cpp import hpp_text, stream_name
from tests.export.c.models import HOUSE, source_of, whole_model

GXX = shutil.which("g++")
MAIN = """
#include "net.hpp"

int main() {
    NetStream one;
    float x[NET_X] = {1.0f, 2.0f}, shares[NET_SHARES], again[NET_SHARES], aside[NET_ASIDE];
    unsigned char buffer[NET_STATE_BYTES];
    if (one.step(7, x, shares, aside) != NET_BAD_TOKEN || one.step(3, x, shares, aside) != NET_OK) return 1;
    NetStream copy = one;
    one.save(buffer);
    if (one.step(2, x, shares, aside) || copy.step(2, x, again, aside)) return 2;
    for (int place = 0; place < NET_SHARES; place++)
        if (shares[place] != again[place]) return 3;
    copy.reset();
    if (copy.load(buffer, sizeof buffer) || copy.step(2, x, again, aside)) return 4;
    for (int place = 0; place < NET_SHARES; place++)
        if (shares[place] != again[place]) return 5;
    buffer[9] = static_cast<unsigned char>(buffer[9] + 1);
    return copy.load(buffer, sizeof buffer) == NET_BAD_STATE ? 0 : 6;
}
"""


@pytest.mark.skipif(GXX is None or not HOUSE, reason="asks g++")
def test_a_stream_is_an_object(tmp_path):
    to_c(whole_model(), tmp_path, name="net", drift_steps=0)
    (tmp_path / "main.cpp").write_text(MAIN, encoding="utf-8")
    subprocess.run([*HOUSE, "-std=c99", "-c", str(tmp_path / "net.c"), "-o", str(tmp_path / "net.o")], check=True)
    strict = ("-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
    files = [str(tmp_path / name) for name in ("main.cpp", "net.o")]
    subprocess.run([GXX, *strict, *files, "-o", str(tmp_path / "main")], check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


def test_a_class_has_a_name_that_is_no_word_of_cpp():
    assert stream_name("my_model") == "MyModelStream"
    assert "class ClassStream {" in hpp_text(source_of(whole_model(), name="class"))
