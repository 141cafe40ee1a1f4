"""Keeping freed memory for the next tensor while coding and training, where malloc is glibc's."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
THRESHOLD = 1 << 30
"""Blocks up to this size come from the heap, which may have this much free at its end."""
GLIBC_MOST = 32 << 20
"""As far as glibc's own thresholds move up by themselves (``DEFAULT_MMAP_THRESHOLD_MAX``)."""


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep what is freed inside, and give it back to the system at the end.

    By default a tensor above 32 MB is mapped by itself and unmapped when it is freed, so the
    system clears its pages anew for the next one: a third of the time of a tile of 1024 pixels,
    and some percent of a training step.
    Older versions of glibc refuse thresholds above 32 MB, and all stays as slow as it was.
    A thread that leaves while another is inside makes that one slower, nothing else.
    """
    library = glibc()
    if library is None:
        yield
        return
    set_thresholds(library, THRESHOLD)
    try:
        yield
    finally:
        set_thresholds(library, GLIBC_MOST)
        library.malloc_trim(0)


def glibc() -> Any | None:
    """The C library of this process, if it is glibc."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def set_thresholds(library: Any, size: int) -> None:
    """Both thresholds of malloc, in bytes."""
    library.mallopt(M_MMAP_THRESHOLD, size)
    library.mallopt(M_TRIM_THRESHOLD, size)
