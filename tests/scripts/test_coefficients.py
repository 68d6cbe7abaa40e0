"""The numbers of the kernels' functions are those that their program finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "src" / "loopcell" / "backends" / "c" / "codegen" / "headers" / "coefficients.h"


def test_the_header_is_what_the_program_prints():
    program = ROOT / "scripts" / "coefficients.py"
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert done.stdout == HEADER.read_text(encoding="utf-8")
