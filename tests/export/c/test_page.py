"""The C of the how-to page compiles and runs."""

from __future__ import annotations

import subprocess

import pytest

from loopcell import GRU
from loopcell.export import to_c
from loopcell.export.c.compiled import STRICT
from tests.docs.pages import ROOT, blocks
from tests.export.c.models import HOUSE

CALLER = """
int main(void) {
    float frame[KEYWORD_X] = {0}, answer[KEYWORD_Y];
    return begin() || listen(frame, answer);
}
"""


@pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
@pytest.mark.parametrize("page", ["export-to-c.md", "export-to-c.ko.md"])
def test_the_caller_of_the_page_runs(page, tmp_path):
    to_c(GRU(16, 32), tmp_path, name="keyword")
    (shown,) = (one.text for one in blocks(ROOT / "docs" / "how-to" / page) if "#include" in one.text)
    (tmp_path / "main.c").write_text(shown + CALLER, encoding="utf-8")
    command = [*HOUSE, *STRICT, str(tmp_path / "main.c"), str(tmp_path / "keyword.c"), "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True)
    subprocess.run([str(tmp_path / "main")], check=True)
