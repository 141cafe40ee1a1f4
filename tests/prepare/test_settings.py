import json

import pytest

from rnncodec.errors import ConfigError
from rnncodec.prepare.settings import Flaw, Settings, flaws, made_with, pair


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": 24}, "--tile 24: expected a multiple of 16"),
        ({"tile": 1024}, "--tile 1024: expected a multiple of 16 from 16 to 512"),
        ({"keep": 0}, "--keep 0: expected at least 1"),
        ({"shard_tiles": 0}, "--shard-tiles 0: expected at least 1"),
        ({"seed": -1}, "--seed -1: expected at least 0"),
        ({"resize": (1280, 30)}, "--resize 1280x30: smaller than one tile"),
        ({"val_fraction": 1.0}, "--val-fraction 1.0: expected between"),
        ({"part": (3, 3)}, "--shard 3/3: expected 0/n to n-1/n"),
    ],
)
def test_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        Settings(**change)


def test_pairs():
    assert pair("1280x720", "--resize", "x") == (1280, 720)
    with pytest.raises(ConfigError, match=r"--shard '3-8': expected two numbers, as in 8/9"):
        pair("3-8", "--shard", "/")


def test_flaws():
    assert flaws("small,border,small") == (Flaw.BORDER, Flaw.SMALL)
    assert flaws("none") == ()
    with pytest.raises(ConfigError, match="--filter ugly: unknown; valid: small, duplicate"):
        flaws("small,ugly")


def test_what_is_recorded_is_json_and_holds_all_but_the_part():
    plain = Settings().plain()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["mode"] == "high-entropy"
    assert "part" not in plain


def test_versions_name_the_deflater():
    assert {"pillow", "python's zlib", "rnncodec"} <= set(made_with())
