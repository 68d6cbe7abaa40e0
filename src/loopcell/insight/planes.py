"""Numbers [T, n] as short text that a page can carry: 16 bits each, compressed.

A page of three layers, 256 units and 2,000 steps has nine million numbers. 16 bits in the range of the quantity show
five digits of a gate; differences along time compress well, and a browser undoes both in a few milliseconds
(`frontend/src/planes.js` is the other half).
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

NOT_A_NUMBER = 0xFFFF
LARGEST = 0xFFFE


def encoded(values: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Return numbers as JSON values: `low` and `high` of their range, and `data`.

    `data` is base64 of zlib of uint16, little-endian, [n, T]: a unit is a row, as it is in the picture. In a row each
    number is the difference to the one before it, modulo 2^16; the lower bytes of all stand before the upper ones. A
    number v stands for low + v / 65534 * (high - low), and 65535 for what is not finite.

    Args:
        values: [T, n].
    """
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    span = high - low
    scaled = np.zeros(values.shape) if not span else (np.where(finite, values, low).astype(np.float64) - low) / span
    numbers = np.rint(scaled * LARGEST).astype(np.uint16)
    numbers[~finite] = NOT_A_NUMBER
    rows = np.ascontiguousarray(numbers.T)
    rows[:, 1:] -= rows[:, :-1].copy()  # modulo 2^16, as unsigned numbers subtract
    flat = rows.astype("<u2").view(np.uint8).reshape(-1, 2)
    packed = zlib.compress(flat.T.tobytes(), level=6)
    return {"low": low, "high": high, "data": base64.b64encode(packed).decode("ascii")}
