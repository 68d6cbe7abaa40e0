"""Threads that go through the same rows together: the same numbers as one thread, with any number of them.

What could hang runs in a process of its own, which is ended when it takes too long.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import torch
from hypothesis import given, strategies as st

from loopcell.backends.c.toolchain import threads
from loopcell.backends.c.toolchain.target import target
from loopcell.runtime import kernels
from loopcell.testing import assert_all_close
from tests.kernels.standalone import Program
from tests.kernels.test_laws import ALL
from tests.kernels.test_standalone import SINGLE, recordings
from tests.laws.table import case

SECONDS = 120
POOL = pytest.mark.skipif(threads.entry() is None, reason="this PyTorch brings no OpenMP runtime that kernels can use")
# Gates side by side, two sweeps a step, sums over units, and a state of another size than the output.
CELLS = ("lstm", "gru_lets_before", "lstm_layer_norm", "lstm_projected", "zoneout")
RACES = ("-O0", "-g", "-fsanitize=thread", "-pthread")


@pytest.fixture
def threaded(monkeypatch):
    """Say by how many threads every call is run from now on, and how many of them are a team."""

    def choose(number, team):
        crew = kernels.Crew(number, team)
        monkeypatch.setattr(kernels, "crew_for", lambda *_: crew)

    return choose


def results(tried, masks):
    """Outputs in training and evaluation, and all gradients, by name."""
    net = tried.net(dtype=SINGLE).eval()
    x, state = tried.inputs().float().requires_grad_(), tried.state(net).to(SINGLE)
    y, final = net(x, state, **masks)
    (y.square().sum() + final.h.sum()).backward()
    with torch.no_grad():
        z, _ = net(x, state, **masks)
    gradients = {name: parameter.grad for name, parameter in net.named_parameters() if parameter.grad is not None}
    return {"y": y.detach(), "z": z, "x": x.grad}, gradients


@POOL
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_a_team_computes_what_one_thread_computes(name, masked, threaded):
    """Bit for bit: every unit is computed by one member, in the same order as by one thread that has them all."""
    tried = case(ALL[name], input_size=3, hidden_size=71, steps=9, batch=3)
    masks = {"lengths": tried.lengths(), "reset": tried.reset()} if masked else {}
    threaded(1, 1)
    expected, expected_gradients = results(tried, masks)
    for members in (2, 3, 16):
        threaded(members, members)
        found, gradients = results(tried, masks)
        for key, tensor in expected.items():
            assert torch.equal(found[key], tensor), (key, members)
        # The products after the loop are PyTorch's, which may add in another order with more threads.
        assert_all_close(gradients, expected_gradients)


@POOL
@pytest.mark.parametrize("crew", [(4, 2), (6, 2), (9, 3)])
def test_teams_beside_each_other(crew, threaded):
    """Rows are shared by teams, of which some may have none, and units by their members."""
    tried = case(ALL["lstm"], input_size=3, hidden_size=40, steps=7, batch=4)
    for masks in ({}, {"lengths": tried.lengths()}):
        threaded(1, 1)
        expected, expected_gradients = results(tried, masks)
        threaded(*crew)
        found, gradients = results(tried, masks)
        assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
        assert_all_close(gradients, expected_gradients)


@POOL
@pytest.mark.parametrize(
    ("settings", "cores"),
    [
        ({"OMP_THREAD_LIMIT": "2"}, None),  # fewer come than are asked for
        ({}, 1),  # more threads than cores
    ],
)
def test_a_team_that_cannot_come_or_has_no_cores(settings, cores):
    code = f"""
        import os, torch, loopcell
        if {cores}:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])
        torch.manual_seed(0)
        net = loopcell.GRU(8, 192)
        x = torch.randn(50, 1, 8)

        def run(threads):
            torch.set_num_threads(threads)
            y, _ = net(x)
            y.square().sum().backward()
            gradient = net.bias_hh_l0.grad.clone()
            net.zero_grad()
            return y.detach(), gradient

        one, many = run(1), [run(7) for _ in range(3)]
        assert loopcell.runtime.kernels.crew_for(50, 1, 3 * 192 * 200, 192).team > 1
        assert all(torch.equal(a, b) for found in many for a, b in zip(one, found))
    """
    if cores and not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not say which cores a process may have")
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr


@POOL
@given(
    wanted=st.integers(1, 64),
    steps=st.integers(1, 1000),
    batch=st.integers(1, 200),
    multiplications=st.integers(1, 10_000_000),
    units=st.integers(1, 2000),
)
def test_the_crew_of_a_call(wanted, steps, batch, multiplications, units):
    """No more threads than PyTorch has, whole teams, nobody without rows or units, and one thread for a little work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: wanted)
        crew = kernels.crew_for(steps, batch, multiplications, units)
    assert 1 <= crew.team <= crew.threads <= wanted
    assert crew.threads % crew.team == 0
    assert crew.threads // crew.team <= batch
    assert crew.team == 1 or 16 * (crew.team - 1) < units
    if steps * batch * multiplications <= 200_000:
        assert crew == (1, 1)


@pytest.fixture(scope="module")
def racing(tmp_path_factory):
    """gcc, where programs whose threads it watches can be linked and run."""
    command, folder = shutil.which("gcc"), tmp_path_factory.mktemp("racing")
    if command is None:
        pytest.skip("there is no gcc")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    made = [command, *RACES, str(folder / "empty.c"), "-o", str(folder / "empty")]
    for words in (made, [str(folder / "empty")]):
        if (ran := subprocess.run(words, capture_output=True, text=True, check=False)).returncode:
            pytest.skip(f"gcc's thread sanitizer does not work here: {ran.stderr[:300]}")
    return command


def test_no_member_reads_what_another_is_writing(racing, aimed, tmp_path):
    aimed("native", "gcc")
    calls = recordings("lstm_layer_norm", SINGLE)
    program = Program.of(calls, [racing, *target().flags, *RACES, "-DTEAM=3"], tmp_path)
    for call in calls:
        program.agrees(call)


def test_a_meeting_at_which_nobody_waits_would_be_noticed(racing, aimed, tmp_path):
    aimed("native", "gcc")
    calls = [call for call in recordings("gru", SINGLE) if call.function == "reverse"]
    for call in calls:
        call.source = call.source.replace("if (me->of > 1) wait_for_all(me);", "(void)me;")
    program = Program.of(calls, [racing, *target().flags, *RACES, "-DTEAM=3"], tmp_path)
    assert any("ThreadSanitizer: data race" in program.run(call).stderr for call in calls)
