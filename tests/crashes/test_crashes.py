"""Files that once cost too much: refused or decoded, soon and with little memory."""

import contextlib
import resource
import sys
import time
from pathlib import Path

import pytest

from rnncodec.codec import load
from rnncodec.errors import RNNCodecError

HERE = Path(__file__).parent
CODEC = load(HERE.parent / "golden" / "model.safetensors")
MAX_SECONDS = 2
MAX_GROWTH = 150 << 20


def peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@pytest.mark.parametrize("path", sorted(HERE.glob("*.rnc")), ids=lambda path: path.stem)
def test_soon_and_with_little_memory(path: Path) -> None:
    data, before, start = path.read_bytes(), peak_memory(), time.process_time()
    with contextlib.suppress(RNNCodecError):
        CODEC.decode(data)
    assert time.process_time() - start < MAX_SECONDS
    assert peak_memory() - before < MAX_GROWTH
