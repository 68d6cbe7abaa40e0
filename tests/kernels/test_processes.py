"""Kernels in forked processes and in several Python threads, and how many threads they have of their own.

What could hang runs in a process of its own, which is ended when it takes too long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from itertools import pairwise

import pytest
import torch

from loopcell import Recurrent, cells
from loopcell.backends.c.toolchain import threads
from loopcell.testing import assert_all_close
from loopcell.testing.case import observe
from tests.kernels.test_laws import ALL
from tests.laws.table import case

SECONDS = 120
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
POOL = pytest.mark.skipif(threads.entry() is None, reason="this PyTorch has no GOMP_parallel")

# Work enough for several threads. PyTorch's own part of it is small.
BEGINNING = """
    import os, sys, torch
    from loopcell import Recurrent, cells
    from loopcell.backends.c.toolchain import threads
    torch.set_num_threads(int(os.environ["THREADS"]))
    torch.manual_seed(0)
    net = Recurrent(cells.get("gru"), 3, 64)
    x = torch.randn(40, 16, 3)

    def run():
        assert net.plan()[0].fused
        y, _ = net(x)
        y.square().sum().backward()
        gradient = net.l0.U.n.grad.clone()
        net.zero_grad()
        return y.detach(), gradient

    def same(one, other):
        return all(torch.allclose(a, b, atol=1e-4) for a, b in zip(one, other))
"""


def in_a_process(text, number=3):
    """Run Python code after BEGINNING; fail when it does not end."""
    code = textwrap.dedent(BEGINNING) + textwrap.dedent(text)
    environment = os.environ | {"THREADS": str(number), "OMP_NUM_THREADS": str(number)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A session of its own: what it forks is ended with it.
    with subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True, **pipes) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail("it hangs")
    assert process.returncode == 0, err
    return out


# -- forks -----------------------------------------------------------------------------------------------------------


@FORKS
@POOL
def test_a_forked_process_runs_on_one_thread():
    """The child has the parent's pool without its threads: whoever started them would wait for ever."""
    in_a_process("""
        expected = run()
        assert threads._Pool.used
        child = os.fork()
        if not child:
            assert torch.get_num_threads() == 1
            assert threads.granted(3) == 1
            ok = same(run(), expected)
            ok = ok and same(run(), expected)
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert torch.get_num_threads() == 3 and threads.granted(3) == 3
        assert same(run(), expected)
    """)


@FORKS
def test_a_child_of_a_child():
    in_a_process("""
        expected = run()
        child = os.fork()
        if not child:
            grandchild = os.fork()
            if not grandchild:
                torch.set_num_threads(3)           # does not bring the threads back
                assert threads.granted(3) == 1
                torch.set_num_threads(1)
                os._exit(0 if same(run(), expected) else 1)
            os._exit(os.waitpid(grandchild, 0)[1] != 0)
        assert os.waitpid(child, 0)[1] == 0
    """)


@FORKS
@POOL
def test_a_fork_before_the_first_call_keeps_its_threads():
    in_a_process("""
        child = os.fork()
        if not child:
            assert threads.granted(3) == 3
            run()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        run()
    """)


@FORKS
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_of_a_data_loader(workers):
    in_a_process(f"""
        from torch.utils.data import DataLoader, Dataset

        expected = run()

        class Encoded(Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                with torch.no_grad():
                    return net(x)[0][index]

        loader = DataLoader(Encoded(), batch_size=2, num_workers={workers}, multiprocessing_context="fork")
        for _ in range(2):
            y = torch.cat(list(loader))
            assert torch.allclose(y, expected[0][:4], atol=1e-5)
            run()
    """)


@FORKS
def test_a_pool_of_forked_workers_that_train():
    in_a_process("""
        import multiprocessing

        def work(_):
            return run()

        expected = run()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map(work, range(4))
        assert all(same(one, expected) for one in results)
    """)


# -- threads of Python -----------------------------------------------------------------------------------------------


def at_once(count, work):
    """Run work(i) in as many threads, all starting together; return the results."""
    results, errors, barrier = {}, [], threading.Barrier(count)

    def one(number):
        barrier.wait()
        try:
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    running = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not errors, errors
    return [results[number] for number in range(count)]


@pytest.mark.parametrize("number", [1, 2])
def test_several_threads_call_one_network(number):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        tried = case(ALL["lstm_layer_norm"], hidden_size=37, steps=20, batch=16)
        net = tried.net()
        inputs = [(tried.inputs(seed=place), tried.state(net)) for place in range(4)]
        expected = [observe(net, net, *given) for given in inputs]
        for _ in range(5):
            found = at_once(4, lambda place: observe(net, net, *inputs[place]))
            for one, other in zip(found, expected, strict=True):
                assert_all_close(one, other)
    finally:
        torch.set_num_threads(before)


def test_several_threads_build_one_kernel(aimed, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPCELL_CACHE", str(tmp_path))
    aimed("native")
    nets = [Recurrent(cells.get("rnn"), 3, 5) for _ in range(3)]
    x = torch.randn(4, 2, 3)
    for net, y in zip(nets, at_once(3, lambda place: nets[place](x)[0]), strict=True):
        assert torch.equal(y, net(x)[0])


def test_other_threads_go_on_during_a_call():
    """The interpreter lock is released: another thread is never kept waiting for as long as a call takes."""
    net = Recurrent(cells.get("lstm"), 1, 128)
    x = torch.randn(4000, 8, 1)
    with torch.no_grad():
        net(x[:1])
        for _ in range(3):  # a busy machine may hold up the other thread; it does not three times
            took, longest = waiting_beside(lambda: net(x))
            if longest < took / 3:
                return
    pytest.fail(f"another thread waited for {longest:.3f} s in a call of {took:.3f} s")


def waiting_beside(work):
    """How long some work takes, and the longest time that another thread of Python does not get on meanwhile."""
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())

    other = threading.Thread(target=tick)
    other.start()
    start = time.perf_counter()
    work()
    took = time.perf_counter() - start
    done.set()
    other.join()
    return took, max(after - before for before, after in pairwise(ticks))


# -- how many threads ------------------------------------------------------------------------------------------------


@POOL
@pytest.mark.parametrize("number", [1, 2, 4])
def test_set_num_threads_holds(number):
    """Of the time that the calls take all processors together, the calling thread has its share."""
    told = in_a_process(
        """
        import time
        from loopcell.backends.c.launch import arguments

        mine, everybody = [], []
        real = arguments.KernelArguments.run

        def timed(*given):
            own, all_of_us = time.thread_time(), time.process_time()
            real(*given)
            mine.append(time.thread_time() - own)
            everybody.append(time.process_time() - all_of_us)

        arguments.KernelArguments.run = timed
        with torch.no_grad():
            for _ in range(50):
                net(x)
        print(sum(mine) / sum(everybody))
    """,
        number,
    )
    share = float(told)
    assert 0.95 < share < 1.05 if number == 1 else share < 0.75


@POOL
def test_fewer_threads_from_one_call_to_the_next():
    in_a_process(
        """
        wanted = []
        real = threads.granted
        from loopcell.runtime import kernels
        kernels.granted = lambda number: wanted.append(real(number)) or wanted[-1]
        results = []
        for number in (4, 1, 2, 3):
            torch.set_num_threads(number)
            results.append(run())
        assert list(dict.fromkeys(wanted)) == [4, 1, 2, 3], wanted
        assert all(same(one, results[0]) for one in results)
    """,
        4,
    )
