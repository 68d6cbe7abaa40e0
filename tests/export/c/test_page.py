"""The C of the how-to page compiles and runs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from loopcell import GRU
from loopcell.export import CForm, to_c
from loopcell.export.c.compiled import STRICT
from tests.docs.pages import ROOT, blocks
from tests.export.c.models import HOUSE

CALLER = """
int main(void) {
    float frame[KEYWORD_X] = {0}, answer[KEYWORD_Y];
    return begin() || listen(frame, answer);
}
"""


GXX = shutil.which("g++")


def _block(page, *words):
    """The only block of a page that has all of some words."""
    found = [one.text for one in blocks(ROOT / "docs" / "how-to" / page)]
    (text,) = (one for one in found if all(word in one for word in words))
    return text


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
@pytest.mark.parametrize("page", ["export-to-c.md", "export-to-c.ko.md"])
def test_the_caller_of_the_page_runs(page, tmp_path):
    to_c(GRU(16, 32), tmp_path, name="keyword")
    shown = _block(page, '#include "keyword.h"', "int listen")
    (tmp_path / "main.c").write_text(shown + CALLER, encoding="utf-8")
    command = [*HOUSE, *STRICT, str(tmp_path / "main.c"), str(tmp_path / "keyword.c"), "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


FROM_CPP = """
int main() {
    KeywordStream stream;
    const float frame[KEYWORD_X] = {0};
    return heard(stream, frame) ? 1 : 0;
}
"""


@pytest.mark.skipif(not HOUSE or GXX is None, reason="asks g++")
@pytest.mark.parametrize("page", ["export-to-c.md", "export-to-c.ko.md"])
def test_the_class_of_the_page_runs(page, tmp_path):
    to_c(GRU(16, 32), tmp_path, name="keyword", drift_steps=0)
    (tmp_path / "main.cpp").write_text(_block(page, "keyword.hpp", "#include") + FROM_CPP, encoding="utf-8")
    subprocess.run([*HOUSE, "-std=c99", "-c", "keyword.c", "-o", "keyword.o"], cwd=tmp_path, check=True)
    strict = ("-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
    subprocess.run([GXX, *strict, "main.cpp", "keyword.o", "-o", "main"], cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)


FROM_A_BLOB = """
int main(void) {
    static const unsigned char nothing[8];
    return begin(nothing, sizeof nothing) == KEYWORD_BAD_WEIGHTS ? 0 : 1;
}
"""


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
@pytest.mark.parametrize("page", ["export-to-c.md", "export-to-c.ko.md"])
def test_the_blob_of_the_page_is_loaded(page, tmp_path):
    to_c(GRU(16, 32), tmp_path, name="keyword", form=CForm(store="blob"), drift_steps=0)
    (tmp_path / "main.c").write_text(_block(page, "keyword_load(&model") + FROM_A_BLOB, encoding="utf-8")
    subprocess.run([*HOUSE, *STRICT, "main.c", "keyword.c", "-o", "main"], cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)
