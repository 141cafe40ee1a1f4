import itertools
from pathlib import Path

import pytest

from rnncodec.data.photos import hash_fraction
from rnncodec.prepare.output import PhotoSample

NAMES = [f"{n}.jpg" for n in range(12)]
BEST = sorted(sorted(NAMES, key=hash_fraction)[:4])


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], [*NAMES[:7], *NAMES]])
def test_the_least_hashes_stay_in_any_order_and_when_offered_again(tmp_path: Path, names):
    sample = PhotoSample(tmp_path / "validation", 4)
    for name in names:
        sample.add(name, name.encode())
    listed = sample.listed()
    assert [item["name"] for item in listed] == BEST
    assert [(tmp_path / item["file"]).read_text() for item in listed] == BEST
    assert len(list((tmp_path / "validation").iterdir())) == 4


def test_the_threshold_falls():
    sample = PhotoSample(Path("nowhere"), 4)
    thresholds = [sample.threshold]
    for name in NAMES:
        sample.add(name, None)
        thresholds.append(sample.threshold)
    assert thresholds[:4] == [1.0] * 4
    assert all(later <= earlier for earlier, later in itertools.pairwise(thresholds))
    assert thresholds[-1] == max(map(hash_fraction, BEST))


def test_files_that_a_killed_run_left_are_cleared_away_and_no_others(tmp_path: Path):
    sample = PhotoSample(tmp_path, 4)
    sample.add("a.jpg", b"a")
    (tmp_path / f"{'0' * 32}.png").write_bytes(b"left by a killed run")
    (tmp_path / "holiday.png").write_bytes(b"a picture of the user")
    names = [Path(item["file"]).name for item in sample.listed()]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "holiday.png"])
