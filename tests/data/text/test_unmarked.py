"""UTF-16 without a mark is told from other encodings, by its zeros."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from loopcell.data.text import read_text
from loopcell.data.text.unmarked import likely_utf16
from loopcell.errors import DataError

TEXTS = ["hello world, said he\n", "안녕하세요 세계 여러분\n", "Привет, мир\n", "中文 文本\n", "日本語 テキスト 😀\n"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_it_is_found_with_its_order_of_bytes(text, encoding):
    assert likely_utf16(text.encode(encoding), "ascii") == encoding
    assert likely_utf16(text.encode(encoding), encoding) is None
    assert likely_utf16(text.encode(), "utf-8") is None


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_no_text_without_zeros_is_taken_for_it(text):
    assert likely_utf16(text.encode(), "utf-8") is None


def test_a_few_zeros_are_not_enough():
    assert likely_utf16(b"some text\0 and more of it", "utf-8") is None
    assert likely_utf16(b"\0" * 100, "utf-8") is None
    assert likely_utf16(b"a\0b\0", "utf-8") is None


def test_a_language_model_says_so(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(TEXTS[0].encode("utf-16-le"))
    with pytest.raises(DataError) as caught:
        read_text(path)
    assert str(caught.value) == (
        f"{path} is not UTF-8 text: it looks like UTF-16; write it anew as UTF-8 (iconv -f utf-16-le -t utf-8)"
    )
