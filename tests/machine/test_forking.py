"""A codec that a process has loaded and used still works in the children it forks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "model.safetensors"
PROGRAM = """
import os, signal, sys, threading
import numpy as np, torch
from rnncodec import load

torch.set_num_threads(2)
codec = load(sys.argv[1])
pixels = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
data = codec.encode(pixels)
codes = codec.decode_codes(data)

inside, release = threading.Event(), threading.Event()
def pause(*_):
    if threading.current_thread() is not threading.main_thread():
        inside.set()
        release.wait()
codec.model.network.decoder.register_forward_pre_hook(pause)
busy = threading.Thread(target=codec.decode, args=(data,))
busy.start()
inside.wait()

child = os.fork()
if child == 0:
    signal.alarm(20)
    same = np.array_equal(codec.decode_codes(data), codes)
    files = [data, codec.encode(pixels), codec.encode(pixels, effort=1)]
    os._exit(0 if same and {codec.decode(file).size for file in files} == {(96, 80)} else 1)
release.set()
busy.join()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert torch.get_num_threads() == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_codes_while_its_parent_does() -> None:
    command = [sys.executable, "-c", PROGRAM, str(GOLDEN)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
