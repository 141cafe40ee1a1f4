import json
from pathlib import Path

import pytest

from rnncodec.data.tile_manifest import FORMAT, read
from rnncodec.errors import DataError

SUM = "0" * 64


def test_no_manifest(tmp_path: Path):
    with pytest.raises(DataError, match=r"No such file .*; tiles are made with"):
        read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no manifest of tiles"),
        ("[" * 100_000, "is no manifest of tiles"),
        ("[]", "expected the format 'rnncodec tiles 1', found 'list'"),
        ('{"format": "rnncodec tiles 9"}', "found 'rnncodec tiles 9'"),
    ],
)
def test_something_else(tmp_path: Path, text: str, message: str):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "manifest.json")


def shard(**changes) -> dict:
    return {"name": "shard-000000.tar", "tiles": 3, "sha256": SUM} | changes


def picture(**changes) -> dict:
    return {"name": "a", "file": "photographs/1.png", "sha256": SUM} | changes


def whole() -> dict:
    same = {"settings": {"tile": 32}, "excluded": [], "part": [0, 1], "source": {}}
    photographs = {"validation": [], "photographs": [picture()]}
    return {"format": FORMAT, "shards": [shard()], **same, **photographs}


def test_a_whole_one(tmp_path: Path):
    (tmp_path / "manifest.json").write_text(json.dumps(whole()))
    assert read(tmp_path / "manifest.json") == whole()


NAMES = [
    "../../passwd",
    "..",
    "/etc/passwd",
    "http://other.example/shard.tar",
    "//other.example/shard.tar",
    "%2e%2e/passwd",
    "a/../../b.tar",
    "a\\b.tar",
    "a.tar?x",
    ".hidden",
    "a\n.tar",
    "",
    7,
    None,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere(tmp_path: Path, name: object):
    changes = ({"shards": [shard(name=name)]}, {"validation": [picture(file=name)]})
    for change in changes:
        (tmp_path / "manifest.json").write_text(json.dumps(whole() | change))
        with pytest.raises(DataError, match="is no file of the set; prepare the set again"):
            read(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": []}, "it has no shards"),
        ({"shards": 7}, "None is no file of the set"),
        ({"shards": [shard(tiles=-1)]}, r"shard-000000\.tar has -1 tiles"),
        ({"shards": [shard(tiles=True)]}, "has True tiles"),
        ({"shards": [shard(tiles=10**12)]}, "has 1000000000000 tiles"),
        ({"shards": [shard(sha256="../x")]}, r"has the SHA-256 '\.\./x'"),
        ({"photographs": [picture(name=3)]}, "has no name"),
        ({"settings": []}, r"settings=\[\]"),
        ({"settings": {"tile": 10**9}}, "tile=1000000000"),
        ({"settings": {"tile": 33}}, "tile=33"),
        ({"part": [3, 3]}, r"part=\[3, 3\]"),
        ({"part": "1/2"}, "part='1/2'"),
        ({"excluded": ["xyz"]}, r"excluded=\['xyz'\]"),
        ({"excluded": 3}, "excluded=3"),
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
