"""Every vocabulary gives every text back, and refuses what it should refuse."""

from __future__ import annotations

import gzip
import json
import sys
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.data import BpeVocabulary, ByteVocabulary, CharVocabulary, JamoVocabulary, Vocabulary
from loopcell.data.text import VOCABULARIES, Source, vocabulary_class, vocabulary_from_json
from loopcell.data.text.bpe import LONGEST_TOKEN, _byte_spelling
from loopcell.data.text.jamo import LITERAL
from loopcell.errors import DataError, FileFormatError, InputError, MissingExtraError, UsageError

# Everything that Hangul can be: syllables, conjoining jamo (modern and old, with both extensions), compatibility
# jamo, half-width jamo, tone marks, fillers; and what goes wrong elsewhere: emoji, combining marks, controls.
HANGUL = st.one_of(
    *(
        st.characters(min_codepoint=low, max_codepoint=high)
        for low, high in [
            (0xAC00, 0xD7A3),
            (0x1100, 0x11FF),
            (0x3131, 0x318E),
            (0xA960, 0xA97C),
            (0xD7B0, 0xD7FB),
            (0xFFA0, 0xFFDC),
            (0x302E, 0x302F),
        ]
    )
)
OTHERS = st.sampled_from("aé\u0301\u200d👩🏽🚀\ufe0f\x00\r\n \ufffd\ufeff漢")
PIECE = st.one_of(HANGUL, HANGUL.map(lambda c: unicodedata.normalize("NFD", c)), OTHERS, st.characters(codec="utf-8"))
TEXT = st.lists(PIECE, max_size=30).map("".join)
ANY_STRING = st.text(st.characters(exclude_categories=[]), max_size=20)  # lone surrogates included

SAMPLE = "그 사람은 안녕하세요, hello hello hello\r\n\tworld! 값을 닭이 ㅋㅋㅋ " * 4
BPE = BpeVocabulary.build([SAMPLE, "안녕하세요 여러분 " * 5], 320)
JAMO_SAMPLE = JamoVocabulary.build([SAMPLE])


def all_kinds(text: str) -> list[Vocabulary]:
    return [CharVocabulary.build([text + "x"]), JamoVocabulary.build([text + "x"]), ByteVocabulary(), BPE]


@given(text=TEXT)
def test_every_text_comes_back_in_every_normal_form(text):
    for form in (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)):
        for vocabulary in all_kinds(form):
            ids = vocabulary.encode(form)
            assert ids.dtype == np.int64
            assert vocabulary.decode(ids) == form
            assert "".join(vocabulary.decode_stream(ids.tolist())) == form


@given(text=ANY_STRING)
def test_characters_and_jamo_hold_even_lone_surrogates(text):
    """In memory: a file cannot hold them, and a stored vocabulary that says it does is refused (below)."""
    for vocabulary in (CharVocabulary.build([text, "x"]), JamoVocabulary.build([text, "x"])):
        assert vocabulary.decode(vocabulary.encode(text)) == text


@given(texts=st.lists(TEXT, min_size=2, max_size=2, unique=True))
def test_two_texts_never_have_the_same_ids(texts):
    for vocabulary in all_kinds("".join(texts)):
        one, other = (vocabulary.encode(text).tolist() for text in texts)
        assert one != other


@given(data=st.binary(max_size=60))
def test_every_bytes_come_back(data):
    vocabulary = ByteVocabulary()
    assert vocabulary.decode_bytes(vocabulary.encode_bytes(data)) == data
    assert vocabulary.encode_bytes(data).tolist() == list(data)


@given(data=st.data())
def test_streamed_pieces_are_the_whole_for_ids_that_no_text_has(data):
    for vocabulary in (ByteVocabulary(), BPE, JAMO_SAMPLE, CharVocabulary.build([SAMPLE])):
        ids = data.draw(st.lists(st.integers(0, min(len(vocabulary), 100) - 1), max_size=20))
        assert "".join(vocabulary.decode_stream(ids)) == vocabulary.decode(ids)


@given(text=st.text(max_size=30))
def test_char_ids_are_the_places_among_the_sorted_characters(text):
    vocabulary = CharVocabulary.build([text, "x"])
    order = ["", *sorted(set(text) | {"x"})]
    assert vocabulary.encode(text).tolist() == [order.index(character) for character in text]
    assert len(vocabulary) == len(order)


@given(text=st.text(HANGUL, max_size=30))
def test_a_syllable_is_as_many_tokens_as_unicode_decomposes_it_into(text):
    ids = JamoVocabulary.build([text, "x"]).encode(text)
    syllables = [character for character in text if "가" <= character <= "힣"]
    parts = sum(len(unicodedata.normalize("NFD", character)) for character in syllables)
    assert len(ids) == parts + len(text) - len(syllables)
    assert (ids < LITERAL).sum() == parts


def test_all_11172_syllables_are_known_to_jamo_without_having_been_seen():
    every = "".join(map(chr, range(0xAC00, 0xD7A4)))
    vocabulary = JamoVocabulary.build(["a"])
    assert len(vocabulary) == 1 + 19 + 21 + 27 + 1
    ids = vocabulary.encode(every)
    assert vocabulary.decode(ids) == every
    assert set(ids.tolist()) == set(range(1, 68))


def test_jamo_by_hand():
    vocabulary = JamoVocabulary.build(["한 ㅎ\u1112"])
    # 한 = ㅎ (19th lead), ㅏ (1st vowel), ㄴ (4th trail). The literals by code point: space, conjoining, ㅎ.
    assert vocabulary.encode("한").tolist() == [19, 20, 44]
    assert vocabulary.encode(" \u1112ㅎ").tolist() == [68, 69, 70]
    assert vocabulary.encode("하").tolist() == [19, 20]
    assert vocabulary.decode([19, 19, 20, 44, 44, 20, 19]) == "ㅎ한ㄴㅏㅎ"  # stray parts are shown


def test_streaming_gives_a_syllable_only_when_it_is_complete():
    vocabulary = JamoVocabulary.build([" "])
    ids = vocabulary.encode("한국 가").tolist()
    assert list(vocabulary.decode_stream(ids)) == ["한", "국", " ", "가"]
    byte = ByteVocabulary()
    assert list(byte.decode_stream(byte.encode("aé한").tolist())) == ["a", "é", "한"]


@pytest.mark.parametrize("kind", [CharVocabulary, JamoVocabulary])
def test_an_unknown_character_is_named_or_replaced(kind):
    vocabulary = kind.build(["abc"])
    with pytest.raises(DataError) as caught:
        vocabulary.encode("abłcłé한ㅎ!?"[:4])
    assert str(caught.value).startswith("the vocabulary has no 'ł' (U+0142), first at character 2; train on text")
    with pytest.raises(DataError, match=r"no 'w' \(U\+0077\), 'x' \(U\+0078\), 'y' \(U\+0079\) and 1 more, first"):
        vocabulary.encode("awxyz")
    assert vocabulary.decode(vocabulary.encode("abłc", unknown="replace")) == "ab\ufffdc"
    assert vocabulary.encode("ł", unknown="replace").tolist() == [0]


def test_the_position_of_an_unknown_character_counts_from_the_start_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab" * (1 << 19) + "cabł".encode())
    vocabulary = CharVocabulary.build(["abc"])
    with pytest.raises(DataError, match=rf"^{path}: .*first at character {(1 << 20) + 3};"):
        list(vocabulary.encode_source(Source(path)))


def test_a_size_keeps_the_most_frequent_characters():
    vocabulary = CharVocabulary.build(["bbbaac", "c"], 3)
    assert vocabulary.to_json()["characters"] == ["a", "b"]  # a and c tie: the lower code point stays
    jamo = JamoVocabulary.build(["한국어 한국어!"], 69)
    assert jamo.to_json()["characters"] == [" "]  # a tie again
    for kind, size in [(CharVocabulary, 1), (JamoVocabulary, 68), (BpeVocabulary, 255), (ByteVocabulary, 300)]:
        with pytest.raises(UsageError):
            kind.build(["abc"], size)


@pytest.mark.parametrize("kind", [CharVocabulary, JamoVocabulary, BpeVocabulary])
@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_no_text_is_no_vocabulary(kind, texts):
    with pytest.raises(DataError, match="there is no text to build a vocabulary from"):
        kind.build(texts)


def test_bytes_of_a_file_are_taken_as_they_are(tmp_path):
    path = tmp_path / "raw"
    path.write_bytes(b"\xef\xbb\xbf\xff\x00a")
    assert np.concatenate(list(ByteVocabulary().encode_source(Source(path)))).tolist() == list(path.read_bytes())
    assert ByteVocabulary().decode([0xFF, 0x61]) == "\ufffda"
    assert ByteVocabulary().encode("\udcff").tolist() == [0xFF]  # what a shell passed as one odd byte


@pytest.mark.parametrize("vocabulary", [ByteVocabulary(), BPE], ids=["byte", "bpe"])
def test_a_lone_surrogate_is_not_text(vocabulary):
    with pytest.raises(DataError, match=r"character 1 is a lone surrogate \(U\+D800\)"):
        vocabulary.encode("a\ud800")


def test_bpe_learns_and_numbers_bytes_as_themselves():
    assert 256 < len(BPE) <= 320
    assert BPE.encode("\x07").tolist() == [7]
    text = "안녕하세요 hello"
    assert len(BPE.encode(text)) < len(text.encode()) / 2
    assert len(BpeVocabulary.build(["ab" * 3], 256)) == 256


def test_two_merges_that_make_the_same_bytes_are_one_token():
    vocabulary = BpeVocabulary([(97, 97), (256, 97), (97, 256), (257, 98)])
    assert len(vocabulary) == 256 + 3
    assert vocabulary.decode([256, 257, 258]) == "aa" + "aaa" + "aaab"
    assert vocabulary.encode("aaa").tolist() == [257]


def test_bpe_merges_are_applied_as_the_reference_does():
    """Against byte-pair encoding by hand: on one word, join the earliest merge until there is none."""
    merges = [tuple(pair) for pair in BPE.to_json()["merges"]]
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        if tokens[left] + tokens[right] not in tokens:
            tokens.append(tokens[left] + tokens[right])
    ranks = {(tokens[left], tokens[right]): rank for rank, (left, right) in enumerate(merges)}
    for word in ("안녕하세요", "hello", "여러분", "worlds"):
        parts = [bytes([byte]) for byte in word.encode()]
        while best := min(
            ((ranks[pair], place) for place, pair in enumerate(pairwise(parts)) if pair in ranks),
            default=None,
        ):
            place = best[1]
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        assert BPE.encode(word).tolist() == [tokens.index(part) for part in parts]


def test_the_spelling_of_bytes_is_the_packages_own():
    from tokenizers import pre_tokenizers

    assert sorted(_byte_spelling()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    encode = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert encode.pre_tokenize_str("a é\n한")[0][0] == "".join(_byte_spelling()[byte] for byte in "a é\n한".encode())


def test_without_the_tokenizers_package_bpe_still_decodes(monkeypatch):
    ids, stored = BPE.encode(SAMPLE), BPE.to_json()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    vocabulary = BpeVocabulary.from_json(stored)
    assert vocabulary.decode(ids) == SAMPLE
    for use in (lambda: vocabulary.encode("a"), lambda: BpeVocabulary.build(["a"])):
        with pytest.raises(MissingExtraError, match=r'pip install "loopcell\[train\]"'):
            use()


@pytest.mark.parametrize("kind", sorted(VOCABULARIES))
def test_stored_and_read_again(kind):
    vocabulary = vocabulary_class(kind).build([SAMPLE], 256 if kind == "byte" else 300)
    again = vocabulary_from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert type(again) is type(vocabulary)
    assert again == vocabulary
    assert again.encode(SAMPLE).tolist() == vocabulary.encode(SAMPLE).tolist()
    assert (again != ByteVocabulary()) == (kind != "byte")
    assert repr(again) == f"<{kind} vocabulary of {len(again)} tokens>"


DOUBLING = [[97, 97]] + [[256 + n, 256 + n] for n in range(64)]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"kind": 3},
        {"kind": ["char"]},
        {"kind": "pickle"},
        {"kind": "char"},
        {"kind": "char", "characters": "abc"},
        {"kind": "char", "characters": ["a", "bc"]},
        {"kind": "char", "characters": ["a", ""]},
        {"kind": "char", "characters": ["b", "a"]},
        {"kind": "jamo", "characters": ["a", "a"]},
        {"kind": "jamo", "characters": ["a", 7]},
        {"kind": "bpe"},
        {"kind": "bpe", "merges": {"a": 1}},
        {"kind": "bpe", "merges": [[97]]},
        {"kind": "bpe", "merges": [[97, "b"]]},
        {"kind": "bpe", "merges": [[97, True]]},
        {"kind": "bpe", "merges": [[97, 256]]},
        {"kind": "bpe", "merges": [[-1, 97]]},
        {"kind": "bpe", "merges": DOUBLING},
    ],
)
def test_a_hostile_vocabulary_is_refused(data):
    with pytest.raises(FileFormatError, match="the stored vocabulary"):
        vocabulary_from_json(data)


@given(merges=st.lists(st.lists(st.integers(0, 300), min_size=2, max_size=2), max_size=60))
def test_whatever_merges_are_accepted_are_lossless(merges):
    try:
        vocabulary = vocabulary_from_json({"kind": "bpe", "merges": merges})
    except FileFormatError:
        return
    text = "".join(map(chr, range(300)))
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert max(len(vocabulary._tokens[token]) for token in range(len(vocabulary))) <= LONGEST_TOKEN


@pytest.mark.parametrize("vocabulary", all_kinds("abc"), ids=lambda v: v.kind)
def test_ids_are_checked(vocabulary):
    n = len(vocabulary)
    assert vocabulary.decode([]) == ""
    assert vocabulary.encode("").tolist() == []
    for wrong in (n, -1):
        with pytest.raises(InputError, match=f"token id {wrong} is outside of the vocabulary of {n} tokens"):
            vocabulary.decode([0, wrong])
    for wrong in ([0.5], [[0]], ["a"]):
        with pytest.raises(InputError, match="whole numbers in one dimension"):
            vocabulary.decode(wrong)
    with pytest.raises(InputError, match="encode takes text, got bytes"):
        vocabulary.encode(b"abc")


def test_korean_reviews_come_back_composed_and_decomposed(data_dir):
    lines = gzip.decompress((data_dir / "nsmc" / "ratings_test.txt.gz").read_bytes()).decode().splitlines()
    text = "\n".join(line.split("\t")[1] for line in lines[1:10_001])
    for form in ("NFC", "NFD"):
        normal = unicodedata.normalize(form, text)
        for vocabulary in all_kinds(normal):
            ids = vocabulary.encode(normal)
            assert vocabulary.decode(ids) == normal
    assert len(JamoVocabulary.build([text])) < len(CharVocabulary.build([text])) / 2


def test_an_unknown_kind_gets_a_hint():
    with pytest.raises(UsageError, match="did you mean jamo"):
        vocabulary_class("jamos")
    with pytest.raises(UsageError, match="there are char, byte, jamo, bpe, word"):
        vocabulary_class("sentencepiece")


@pytest.mark.parametrize("kind", ["char", "jamo"])
@pytest.mark.parametrize("point", [0xD800, 0xDFFF])
def test_a_stored_lone_surrogate_is_refused(kind, point):
    stored = json.loads(json.dumps({"kind": kind, "characters": ["a", chr(point)]}))
    with pytest.raises(FileFormatError) as caught:
        vocabulary_from_json(stored)
    assert str(caught.value) == f"the stored vocabulary is not valid: U+{point:04X} is a lone surrogate, not text"


@given(st.text("각가하ㅎㅏᄒ힣 a", max_size=4), st.integers(0, 10**6))
def test_tokens_that_change_a_text_and_tokens_that_add_to_it(text, number):
    """Told apart by decoding: what changes a text is what gives another beginning."""
    vocabulary = JamoVocabulary.build(["ㅎㅏᄒ a"])
    ids = vocabulary.encode(text)
    token = number % len(vocabulary)
    changed = not vocabulary.decode([*ids, token]).startswith(text)
    assert (token in vocabulary.changing(ids)) == changed


def test_no_token_of_the_other_kinds_changes_a_text():
    for vocabulary in (CharVocabulary.build(["하"]), ByteVocabulary()):
        assert vocabulary.changing(vocabulary.encode("하")).tolist() == []
