"""The C++ of the documentation: compiled word for word, and its state kept, against a stand-in for the header."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs" / "how-to"
STAND_IN = Path(__file__).parent / "cpp"
COMPILER = shutil.which("g++") or shutil.which("clang++")


def blocks(page: str) -> list[str]:
    return re.findall(r"```cpp\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")
def test_the_stream_of_the_page_compiles_and_keeps_its_state(tmp_path: Path) -> None:
    stream, use = blocks("export-to-onnx.md")
    program = f"""{stream}
#include <cstdio>
int main() {{
    {use}
    std::vector<float> z = stream.step("x", {{0.1f, 0.2f, 0.3f}}, "layer2");
    stream.reset();
    std::vector<float> again = stream.step("x", {{0.1f, 0.2f, 0.3f}}, "layer2");
    for (auto* one : {{&y, &z, &again}}) std::printf("%g %g %g\\n", (*one)[0], (*one)[1], (*one)[2]);
}}
"""
    (tmp_path / "main.cpp").write_text(program, encoding="utf-8")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", f"-I{STAND_IN}"]
    command = [str(COMPILER), *flags, "main.cpp", "-o", "main"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    found = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == ["0.1 0.2 0.3", "0.15 0.3 0.45", "0.1 0.2 0.3"]
