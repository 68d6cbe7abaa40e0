"""Where compiled kernels are kept: found again, never run when damaged or another's, shared by processes and users."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from loopcell import cell, cells, tanh
from loopcell.backends.c import Kernels
from loopcell.backends.c.toolchain import build as building, cache
from loopcell.backends.c.toolchain.build import BuildError, build
from loopcell.backends.c.toolchain.target import target
from loopcell.runtime import programs

SOURCE = "int answer(void) { return 42; }\n"
OTHER = SOURCE.replace("42", "43")
SOMEBODY = 12345
POSIX = pytest.mark.skipif(os.name == "nt", reason="owners and modes are those of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


@pytest.fixture
def somebody(monkeypatch):
    """Give a path to another user; without the right to do so, be another user instead."""

    def give(path):
        if os.geteuid() == 0:
            os.chown(path, SOMEBODY, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)

    return give


def entries(folder):
    return sorted(path for path in folder.iterdir() if path.suffix == ".so")


def is_not_kept(reason):
    """Build something, and be told once why it is not kept."""
    cache._say_once.cache_clear()
    cache._OWN.clear()
    sentence = rf"not kept for later processes: .*{reason}.*; LOOPCELL_CACHE names a folder for them"
    with pytest.warns(UserWarning, match=sentence) as said:
        answers = [build(source, "lost").answer() for source in (OTHER, SOURCE, OTHER)]
    assert answers == [43, 42, 43]
    assert len(said) == 1
    assert len(entries(cache._OWN[os.getpid()])) == 2


def test_a_library_is_built_once(folder, monkeypatch):
    assert build(SOURCE, "once").answer() == 42
    monkeypatch.setattr(building, "_compiled", lambda *_: pytest.fail("it is there"))
    assert build(SOURCE, "once").answer() == 42
    monkeypatch.undo()
    monkeypatch.setenv("LOOPCELL_CACHE", str(folder))
    assert build(OTHER, "once").answer() == 43
    assert len(entries(folder)) == 2


def test_another_target_is_another_entry(folder, aimed):
    aimed("native")
    build(SOURCE, "one")
    aimed("plain")
    build(SOURCE, "one")
    assert len(entries(folder)) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda path, other: path.write_bytes(path.read_bytes()[:200]),
        lambda path, other: path.write_bytes(path.read_bytes()[:-1]),
        lambda path, other: path.write_bytes(b""),
        lambda path, other: path.write_bytes(bytes([*path.read_bytes()[:-9], 77, *path.read_bytes()[-8:]])),
        lambda path, other: path.write_bytes(other.read_bytes()),
        lambda path, other: other.rename(path),
    ],
    ids=["cut off", "one byte short", "empty", "one byte changed", "another's content", "another's file"],
)
def test_a_damaged_entry_is_not_loaded_and_built_again(folder, damage):
    other = folder / "another.so"
    key = building._key(SOURCE, target())
    path = cache.keep("damaged", key, building._compiled([SOURCE], target()))
    build(OTHER, "other")
    (kept,) = folder.glob("other-*.so")
    kept.rename(other)
    before = path.read_bytes()
    damage(path, other)
    assert path.read_bytes() != before
    assert cache.find("damaged", key) is None
    assert build(SOURCE, "damaged").answer() == 42
    assert cache.find("damaged", key) == path


def test_a_folder_or_a_link_in_the_place_of_an_entry(folder):
    key = building._key(SOURCE, target())
    path = cache.keep("odd", key, building._compiled([SOURCE], target()))
    elsewhere = path.rename(folder / "elsewhere")
    path.symlink_to(elsewhere)
    assert cache.find("odd", key) is None  # what it points to may be anybody's
    path.unlink(missing_ok=True)
    path.mkdir()
    assert cache.find("odd", key) is None


@POSIX
def test_the_folder_is_the_users_own(folder):
    before = os.umask(0o002)
    try:
        build(SOURCE, "mine")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entries(folder)[0].stat().st_mode & 0o777 == 0o644


@POSIX
def test_a_folder_that_others_can_write_to_is_not_trusted(folder):
    build(SOURCE, "open")
    build(OTHER, "lost")
    for mode in (0o770, 0o707):
        folder.chmod(mode)
        is_not_kept(f"others can write to {folder}")
    folder.chmod(0o755)
    assert build(OTHER, "lost").answer() == 43


@POSIX
def test_another_users_folder_is_not_trusted(folder, somebody):
    build(OTHER, "lost")
    somebody(folder)
    is_not_kept(f"{folder} belongs to another user")


@POSIX
@pytest.mark.parametrize("make_it", ["another's", "open"])
def test_another_users_entry_is_not_run(folder, somebody, make_it):
    key = building._key(SOURCE, target())
    path = cache.keep("theirs", key, building._compiled([SOURCE], target()))
    assert cache.find("theirs", key) == path
    if make_it == "open":
        path.chmod(0o666)
    elif os.geteuid():
        pytest.skip("only root can give a file away")
    else:
        somebody(path)
    assert cache.find("theirs", key) is None
    assert build(SOURCE, "theirs").answer() == 42
    assert path.stat().st_uid == os.geteuid()  # built anew, and put in its place


@POSIX
def test_in_a_folder_for_everybody_each_user_has_their_own(folder):
    folder.mkdir()
    folder.chmod(0o1777)
    build(SOURCE, "shared")
    own = folder / f"user-{os.geteuid()}"
    assert entries(folder) == []
    assert len(entries(own)) == 1
    assert own.stat().st_mode & 0o777 == 0o700


@POSIX
def test_who_was_there_first_in_a_folder_for_everybody(folder, tmp_path, somebody):
    """Another user has made a folder, or a link, under our name."""
    folder.mkdir()
    folder.chmod(0o1777)
    own = folder / f"user-{os.geteuid()}"
    own.symlink_to(tmp_path)
    is_not_kept(f"{own} is not a folder")
    if os.geteuid() == 0:
        own.unlink()
        own.mkdir()
        somebody(own)
        is_not_kept(f"{own} belongs to another user")


@POSIX
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can be root and somebody else")
def test_what_root_has_built_serves_others(folder, monkeypatch):
    key = building._key(SOURCE, target())
    path = cache.keep("image", key, building._compiled([SOURCE], target()))
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert cache.find("image", key) == path


@pytest.mark.parametrize("named", ["file/below", "file"])
def test_a_folder_that_cannot_be(named, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path / named))
    is_not_kept(named)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_home_that_cannot_be_written(monkeypatch):
    for variable in ("LOOPCELL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/proc/self")
    is_not_kept(f"/proc/{os.getpid()}/.cache: No such file")


def test_no_home_at_all(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for variable in ("LOOPCELL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    is_not_kept("Could not determine home directory")


def test_a_full_disk_under_the_folder(folder, monkeypatch):
    real = Path.write_bytes

    def write_bytes(path, content):
        if path.is_relative_to(folder):
            raise OSError(28, "No space left on device", str(path))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    is_not_kept(f"{folder}: No space left")
    assert list(folder.iterdir()) == []


def test_no_folder_to_compile_in(folder, monkeypatch):
    import tempfile

    def none(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    target()  # the compiler is asked before, and needs no folder
    monkeypatch.setattr(tempfile, "mkdtemp", none)
    with pytest.raises(BuildError, match="No usable temporary directory"):
        build(SOURCE.replace("42", "46"), "nowhere")


def test_code_that_the_compiler_refuses(folder):
    with pytest.raises(BuildError, match="refused a generated kernel"):
        build("int answer(void) { return }", "refused")
    assert not list(folder.iterdir())


# -- compilers that lie ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nonsense", "complaint"),
    [
        (b"nonsense", "a compiled kernel cannot be loaded"),
        (b"", "a compiled kernel cannot be loaded"),
        (None, "made a library without the function answer"),
    ],
    ids=["nonsense", "nothing", "other functions"],
)
def test_nonsense_that_a_compiler_calls_a_success_does_not_stay(folder, monkeypatch, nonsense, complaint):
    made = building._compiled
    wrong = made(["int another;\n"], target()) if nonsense is None else nonsense
    monkeypatch.setattr(building, "_compiled", lambda *_: wrong)
    with pytest.raises(BuildError, match=complaint):
        build(SOURCE, "lies", ["answer"])
    assert entries(folder) == []
    monkeypatch.setattr(building, "_compiled", made)
    assert build(SOURCE, "lies", ["answer"]).answer() == 42


def test_nonsense_of_an_earlier_process_is_made_anew(folder):
    """An entry with the right digest: its content is what the compiler wrote."""
    key = building._key(SOURCE, target())
    cache.keep("lies", key, b"nonsense")
    assert build(SOURCE, "lies", ["answer"]).answer() == 42
    assert len(entries(folder)) == 1


def test_a_program_knows_why_it_has_no_kernels(folder, monkeypatch):
    programs.kernels_of.cache_clear()
    monkeypatch.setattr(building, "_compiled", lambda *_: b"nonsense")
    made = programs.Programs.of(cells.get("mgu").graph, training=True)
    with pytest.warns(UserWarning, match="no fused kernel for mgu, which runs on plain PyTorch: a compiled kernel"):
        assert programs.kernels_of(made, torch.float64) is None
    assert "cannot be loaded" in programs.why_not_built(made, torch.float64)
    assert programs.why_not_built(made, torch.float32) is None
    programs.kernels_of.cache_clear()
    programs._REFUSALS.clear()


def test_a_cell_as_large_as_only_a_file_can_make_it_is_not_compiled(folder, monkeypatch):
    """A compiler would take minutes, and the file is hostile perhaps."""

    @cell
    def large(x, h, *, W):
        value = W.h @ x + h
        for _ in range(700):
            value = tanh(value)
        return value

    monkeypatch.setattr(building, "_compiled", lambda *_: pytest.fail("it is not to be compiled"))
    with pytest.raises(BuildError, match="values per step, and a compiler may take very long over more than 600"):
        Kernels(programs.Programs.of(large.graph, training=True).fused, torch.float32)


# -- several processes -----------------------------------------------------------------------------------------------


def python(text, **environment):
    command = [sys.executable, "-c", textwrap.dedent(text)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | environment, **pipes)


def test_processes_that_build_the_same_at_once(folder):
    """All wait for a file, so that they compile at the same time."""
    text = f"""
        import sys, time
        from pathlib import Path
        from loopcell.backends.c.toolchain.build import build
        from loopcell.backends.c.toolchain.target import target
        target()
        print("ready", flush=True)
        while not Path({str(folder.parent / "go")!r}).exists():
            time.sleep(0.001)
        print(build({SOURCE!r}, "together").answer())
    """
    running = [python(text) for _ in range(4)]
    for one in running:
        assert one.stdout.readline() == "ready\n"
    (folder.parent / "go").write_text("")
    for one in running:
        out, err = one.communicate(timeout=300)
        assert (one.returncode, out) == (0, "42\n"), err
    assert 1 <= len(entries(folder)) <= 4  # a compiler need not write the same bytes twice
    assert build(SOURCE, "together").answer() == 42


def test_a_folder_of_one_process_is_gone_with_it_and_not_with_its_child(tmp_path):
    """A forked process that ends does not take its parent's folder along, and has one of its own."""
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    (tmp_path / "here").mkdir()
    text = f"""
        import os, sys, warnings
        warnings.simplefilter("ignore")
        from loopcell.backends.c.toolchain import cache
        from loopcell.backends.c.toolchain.build import build
        assert build({SOURCE!r}, "parent").answer() == 42
        (mine,) = cache._OWN.values()
        child = os.fork()
        if not child:
            assert build({OTHER!r}, "child").answer() == 43
            assert cache._own() != mine
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(mine.iterdir())) == 1
    """
    one = python(text, LOOPCELL_CACHE=str(tmp_path / "here" / "file.py" / "x"), TMPDIR=str(tmp_path / "here"))
    (tmp_path / "here" / "file.py").write_text("")
    _, err = one.communicate(timeout=300)
    assert one.returncode == 0, err
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["file.py"]
