from pathlib import Path

import pytest

from rnncodec.data.tile_manifest import read
from rnncodec.errors import DataError


def test_no_manifest(tmp_path: Path):
    with pytest.raises(DataError, match=r"No such file .*; tiles are made with"):
        read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no manifest of tiles"),
        ("[]", "expected the format 'rnncodec tiles 1', found 'list'"),
        ('{"format": "rnncodec tiles 9"}', "found 'rnncodec tiles 9'"),
    ],
)
def test_something_else(tmp_path: Path, text: str, message: str):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "manifest.json")
