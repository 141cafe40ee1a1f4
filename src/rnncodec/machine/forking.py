"""Forked processes: torch's threads stay behind in the parent."""

import os
from functools import cache, partial

import torch


@cache
def compute_after_fork() -> None:
    """Let every process that is forked from now on compute, with one thread.

    A fork copies the state of torch's thread pool but none of its threads, so that a child would
    wait for ever in its first parallel loop. Preloading servers fork, and ``multiprocessing`` on
    Linux before Python 3.14. A child that asks torch for more threads again hangs as before.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
