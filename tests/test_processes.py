"""Ctrl-C is the parent's business, whenever it comes."""

import os
import signal
import subprocess
import sys

import pytest

from rnncodec.processes import deaf_to_interrupts


def test_a_process_started_meanwhile_outlives_an_interrupt() -> None:
    with deaf_to_interrupts():
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


def interrupted(done: list[str]) -> None:
    with deaf_to_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("the block")


def test_an_interrupt_that_came_meanwhile_is_not_lost() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(done)
    assert done == ["the block"]
