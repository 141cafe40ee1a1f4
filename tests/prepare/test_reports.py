from pathlib import Path

from tests.prepare.conftest import SMALL

from rnncodec.prepare import listing
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files


def test_listing_and_the_start_are_reported(album: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(listing, "EVERY", 10)
    seen = []
    prepare(
        *(Files(album), tmp_path, Settings(**SMALL)),
        on_progress=lambda p: seen.append((p.listed, p.images, p.done)),
    )
    found = [(10, 0, 0), (20, 0, 0)]  # while the folder is walked, then while it is written down
    assert seen[:5] == [*found, *found, (None, 20, 0)]
    assert seen[5:] == [(None, 20, done) for done in range(1, 21)]
