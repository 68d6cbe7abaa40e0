from __future__ import annotations

import json
import pickle
import struct
import tracemalloc

import pytest
import safetensors.torch
import torch

from loopcell.errors import FileFormatError, FileWriteError
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, read_tensor_shapes, write_tensor_file
from loopcell.layers import State

KIND = FileKind("test-format", 2, "test file")


def write(path, **changed):
    content = TensorFile({"a": torch.arange(3.0), "b": torch.tensor([[1, 2]])}, {"fact": {"한": [1, None, 0.1]}})
    write_tensor_file(path, KIND, content)
    if changed:
        header = {"format": "test-format", "format_version": "2", "fact": "1"} | changed
        tensors = dict(content.tensors)
        path.write_bytes(safetensors.torch.save(tensors, {k: v for k, v in header.items() if v is not None}))
    return content


def refusal(path):
    with pytest.raises(FileFormatError) as caught:
        read_tensor_file(path, KIND)
    return str(caught.value)


def test_round_trip(tmp_path):
    written = write(tmp_path / "f")
    found = read_tensor_file(tmp_path / "f", KIND)
    assert found.facts == written.facts
    assert found.tensors.keys() == written.tensors.keys()
    assert all(torch.equal(found.tensors[name], written.tensors[name]) for name in "ab")


def test_numbers_come_back_to_the_last_bit(tmp_path):
    value = 0.1 + 0.2
    write_tensor_file(tmp_path / "f", KIND, TensorFile({}, {"fact": [value, 1e-320, -0.0]}))
    found = read_tensor_file(tmp_path / "f", KIND).facts["fact"]
    assert [number.hex() for number in found] == [value.hex(), (1e-320).hex(), (-0.0).hex()]


def test_a_missing_file(tmp_path):
    assert refusal(tmp_path / "f") == f"there is no test file {tmp_path / 'f'}"


@pytest.mark.parametrize("keep", [0, 4, 8, 60, -1])
def test_a_truncated_file_at_any_place(tmp_path, keep):
    path = tmp_path / "f"
    write(path)
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal(path) == f"{path} is not a test file, or not a whole one"


@pytest.mark.parametrize(
    "content",
    [
        b"just some text, longer than a header",
        pickle.dumps({"a": 1}),
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 40) + b'{"a":{"dtype":"F32","shape":[9],"dat"}',
        struct.pack("<Q", 64) + b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}',
    ],
    ids=["text", "pickle", "huge header", "broken header", "missing data"],
)
def test_a_foreign_or_hostile_file(tmp_path, content):
    path = tmp_path / "f"
    path.write_bytes(content)
    assert refusal(path) == f"{path} is not a test file, or not a whole one"


def test_a_safetensors_file_of_others(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    assert refusal(path) == f"{path} is not a test file: its format is 'unnamed', not 'test-format'"


def test_a_newer_version(tmp_path):
    path = tmp_path / "f"
    write(path, format_version="3")
    assert refusal(path) == f"{path} has format version 3, and this loopcell reads versions up to 2; upgrade loopcell"


@pytest.mark.parametrize("version", ["", "-1", "1.5", "²", "9" * 5000, None])
def test_a_version_that_is_none(tmp_path, version):
    path = tmp_path / "f"
    write(path, format_version=version)
    assert refusal(path).startswith(f"{path} is damaged: its format version is '")
    assert len(refusal(path)) < 200 + len(str(path))


@pytest.mark.parametrize("fact", ["{", "[" * 100_000, ""])
def test_a_fact_that_is_not_json(tmp_path, fact):
    path = tmp_path / "f"
    write(path, fact=fact)
    assert refusal(path) == f"{path} is damaged: its 'fact' is not JSON"


def test_a_failed_write_leaves_the_old_file(tmp_path, file_size_limit):
    path = tmp_path / "f"
    written = write(path)
    file_size_limit(300)
    with pytest.raises(FileWriteError, match="cannot write"):
        write_tensor_file(path, KIND, TensorFile({"a": torch.zeros(1000)}, {}))
    file_size_limit(None)
    assert read_tensor_file(path, KIND).facts == written.facts
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_facts_are_plain_json_in_the_header(tmp_path):
    path = tmp_path / "f"
    write(path)
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    header = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    assert header["format"] == "test-format"
    assert json.loads(header["fact"]) == {"한": [1, None, 0.1]}


def test_two_names_may_share_memory(tmp_path):
    z = torch.arange(6.0).view(1, 2, 3)
    State(h=z, c=z, part=z[:, 1:]).save(tmp_path / "f")
    found = State.load(tmp_path / "f")
    assert list(found) == ["h", "c", "part"]
    assert torch.equal(found.h, z)
    assert torch.equal(found.c, z)
    assert torch.equal(found.part, z[:, 1:])


def test_equal_content_gives_equal_bytes_whatever_the_order(tmp_path):
    tensors = {name: torch.full((3,), float(place)) for place, name in enumerate("abc")}
    facts = {"eins": "한", "zwei": 2, "drei": [None]}
    for name, turned in (("f", list), ("g", lambda items: list(items)[::-1])):
        content = TensorFile(dict(turned(tensors.items())), dict(turned(facts.items())))
        write_tensor_file(tmp_path / name, KIND, content)
    assert (tmp_path / "f").read_bytes() == (tmp_path / "g").read_bytes()


def test_writing_takes_no_copy_of_the_tensors(tmp_path):
    content = TensorFile({"large": torch.zeros(2**22)}, {})
    tracemalloc.start()
    try:
        write_tensor_file(tmp_path / "f", KIND, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20  # the file is 16 MiB
    assert (tmp_path / "f").stat().st_size > 2**24


def test_shapes_alone(tmp_path):
    write(tmp_path / "f")
    assert read_tensor_shapes(tmp_path / "f", KIND) == {"a": (3,), "b": (1, 2)}
    with pytest.raises(FileFormatError, match="there is no test file"):
        read_tensor_shapes(tmp_path / "g", KIND)
    with pytest.raises(FileFormatError, match="its format is 'test-format', not 'other'"):
        read_tensor_shapes(tmp_path / "f", FileKind("other", 1, "other file"))


def test_a_saved_file_can_be_read_by_those_whom_the_umask_allows(tmp_path):
    path, beside = tmp_path / "f", tmp_path / "beside"
    beside.write_text("")
    for mode in (beside.stat().st_mode, 0o100640):
        write(path)
        assert path.stat().st_mode == mode
        path.chmod(0o640)
