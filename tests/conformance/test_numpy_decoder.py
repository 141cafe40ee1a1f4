"""A decoder that shares no code with ours gives what the conformance files ask for.

`rnncodec conformance tests/golden --decoder "python tests/conformance/numpy_decoder.py"`: all.
"""

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conformance import numpy_decoder

HERE = Path(__file__).parents[1] / "golden"
ENTRIES = {e["file"]: e for e in json.loads((HERE / "manifest.json").read_text("utf-8"))["files"]}
GOOD = ["example", "adaptive-tiles", "adaptive-unlikely", "cut-inside", "lstm-profile", "pixel"]
GOOD += ["assoc_lstm-tiles", "gru", "none-adaptive"]
BAD = [name for name, entry in ENTRIES.items() if "error" in entry]


def given(entry: dict) -> tuple[bytes, bytes]:
    return gzip.decompress((HERE / entry["model"]).read_bytes()), (
        HERE / entry["file"]
    ).read_bytes()


@pytest.mark.parametrize("name", GOOD)
def test_codes_and_pixels(name: str) -> None:
    entry = ENTRIES[f"set/{name}.rnc"]
    codes, pixels = numpy_decoder.decode(*given(entry))
    assert hashlib.sha256(codes.tobytes()).hexdigest() == entry["codes_sha256"]
    with Image.open(HERE / entry["pixels"]) as image:
        assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("name", BAD)
def test_classes_of_error(name: str) -> None:
    entry = ENTRIES[name]
    with pytest.raises(numpy_decoder.RefusedError) as refused:
        numpy_decoder.decode(*given(entry))
    assert refused.value.args[0] == entry["error"]
