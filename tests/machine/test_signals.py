"""Ctrl-C is the parent's business, whenever it comes; SIGTERM ends in order."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from rnncodec.machine.signals import Terminated, ended_by_sigterm, sigint_blocked


def test_a_process_started_meanwhile_outlives_an_interrupt() -> None:
    with sigint_blocked():
        child = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); print(input())"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate("alive\n")[0] == "alive\n"
    assert child.returncode == 0


@pytest.fixture
def listening() -> Iterator[None]:
    """Python's own reaction to Ctrl-C; a shell's background job starts without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(done: list[str]) -> None:
    with sigint_blocked():
        # to this thread: one sent to the process may reach another, which has it unblocked
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        done.append("the block")


@pytest.mark.usefixtures("listening")
def test_an_interrupt_that_came_meanwhile_is_not_lost() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(done)
    assert done == ["the block"]


def ending(by: type[BaseException], done: list[str]) -> None:
    with ended_by_sigterm():
        try:
            raise by
        finally:
            signal.raise_signal(signal.SIGTERM)
            done.append("what comes at the end")


@pytest.mark.parametrize("by", [Terminated, KeyboardInterrupt, SystemExit])
def test_a_second_signal_does_not_cut_the_end_short(by: type[BaseException]) -> None:
    done: list[str] = []
    with pytest.raises(by):
        ending(by, done)
    assert done == ["what comes at the end"]


def test_sigterm_is_heard_in_the_midst_of_a_failure_and_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated, match=r"told to end \(SIGTERM\)"):
        ending(ValueError, [])
    assert signal.getsignal(signal.SIGTERM) == before
