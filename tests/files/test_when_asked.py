"""Names that are imported when first asked for."""

from __future__ import annotations

import pytest

from loopcell.files.when_asked import imported_when_asked


def test_a_name_is_looked_for_in_its_module():
    get = imported_when_asked("collections", {"abc": ("Mapping", "Sequence")})
    from collections.abc import Sequence

    assert get("Sequence") is Sequence


def test_a_name_of_no_module_is_an_attribute_error():
    get = imported_when_asked("collections", {"abc": ("Mapping",)})
    with pytest.raises(AttributeError, match="module 'collections' has no attribute 'Sequence'"):
        get("Sequence")
