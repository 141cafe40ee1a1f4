"""Freed memory is kept inside, and given back after."""

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest

from rnncodec.machine.allocator import GLIBC_MOST, M_MMAP_THRESHOLD, freed_memory_kept, glibc

BLOCK = 256 << 20


def obeys() -> bool:
    """Whether malloc takes such thresholds: glibc's does, except for older versions."""
    library = glibc() if sys.platform.startswith("linux") else None
    return library is not None and bool(library.mallopt(M_MMAP_THRESHOLD, 2 * GLIBC_MOST))


pytestmark = pytest.mark.skipif(not obeys(), reason="this malloc maps large blocks in any case")


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * mmap.PAGESIZE


def use_and_free() -> None:
    """Touch every page of a large block."""
    np.ones(BLOCK, np.uint8)


def test_memory_is_mapped_anew_outside() -> None:
    before = resident()
    use_and_free()
    assert resident() - before < BLOCK / 4


def test_memory_is_kept_inside_and_given_back_after() -> None:
    before = resident()
    with freed_memory_kept():
        use_and_free()
        assert resident() - before > BLOCK / 2, "kept"
    assert resident() - before < BLOCK / 4, "given back"


def test_given_back_after_an_error() -> None:
    before = resident()
    with pytest.raises(ZeroDivisionError):
        use_and_fail()
    assert resident() - before < BLOCK / 4


@freed_memory_kept()
def use_and_fail() -> None:
    """As coding does that meets a damaged file."""
    use_and_free()
    raise ZeroDivisionError
