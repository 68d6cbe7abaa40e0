"""Nobody pays for a library that reads what they have not got."""

from __future__ import annotations

import subprocess
import sys

OPTIONAL = ("pyarrow", "polars", "pandas", "soundfile", "soxr", "PIL", "zstandard", "pooch", "requests", "tokenizers")


def test_the_data_room_imports_no_optional_library():
    program = f"import sys, loopcell.data; print([name for name in {OPTIONAL} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
