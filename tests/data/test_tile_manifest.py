import json
from pathlib import Path

import pytest

from rnncodec.data.tile_manifest import FORMAT, read
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


def whole() -> dict:
    shards = [{"name": "shard-000000.tar", "tiles": 3}]
    same = {"settings": {}, "excluded": [], "part": [0, 1], "source": {}}
    photographs = {"validation": [], "photographs": [{"name": "a", "file": "photographs/1.png"}]}
    return {"format": FORMAT, "shards": shards, **same, **photographs}


def test_a_whole_one(tmp_path: Path):
    (tmp_path / "manifest.json").write_text(json.dumps(whole()))
    assert read(tmp_path / "manifest.json") == whole()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": []}, "it has no shards"),
        ({"shards": [{"name": "../../passwd", "tiles": 1}]}, "passwd' is no file of the set"),
        ({"validation": [{"name": "a", "file": "/etc/passwd"}]}, "no file of the set"),
        ({"shards": [{"name": "a.tar", "tiles": -1}]}, r"a\.tar has -1 tiles"),
    ],
)
def test_what_cannot_be(tmp_path: Path, change: dict, message: str):
    (tmp_path / "manifest.json").write_text(json.dumps(whole() | change))
    with pytest.raises(DataError, match=message):
        read(tmp_path / "manifest.json")


def test_what_is_missing(tmp_path: Path):
    content = whole()
    del content["shards"], content["part"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"is damaged: it lacks part, shards; prepare"):
        read(tmp_path / "manifest.json")
