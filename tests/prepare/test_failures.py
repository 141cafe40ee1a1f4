import errno
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.prepare.conftest import SMALL
from tests.prepare.test_pipeline import everything, lines

from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.pipeline import prepare, refuse_many
from rnncodec.prepare.progress import Progress
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files, refuse_lost


def failed(number: int) -> DataError:
    """An error about a picture, from one of the system."""
    error = DataError("cannot read image a.jpg: ...")
    error.__cause__ = OSError(number, os.strerror(number))
    return error


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_storage_that_fails_is_told_from_a_missing_file(tmp_path: Path, number: int):
    (tmp_path / "b.jpg").touch()
    refuse_lost(failed(errno.ENOENT), tmp_path)
    refuse_lost(failed(errno.EACCES), tmp_path)
    with pytest.raises(
        DataError, match=r"storage failed \(cannot read image a\.jpg: \.\.\.\)\. When"
    ):
        refuse_lost(failed(number), tmp_path)


def test_what_pillow_says_of_a_picture_is_no_failure_of_storage(tmp_path: Path):
    error = DataError("cannot read image a.jpg: truncated")
    error.__cause__ = OSError("image file is truncated")
    refuse_lost(error, tmp_path / "gone")  # the bytes were read, so nobody looks for the folder
    error.__cause__ = OSError(errno.ENOENT, "No such file")
    with pytest.raises(DataError, match="the source is gone"):
        refuse_lost(error, tmp_path / "gone")


@pytest.mark.parametrize("unmounted", ["is empty now", "cannot be listed: No such file"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_share_that_goes_away_ends_the_run_which_goes_on_later(
    album: Path, tmp_path: Path, workers: int, unmounted: str
):
    prepare(Files(album), tmp_path / "undisturbed", Settings(**SMALL))
    root = tmp_path / "share" / album.name
    root.parent.mkdir()
    root.symlink_to(album)
    empty = tmp_path / "empty"
    empty.mkdir()
    instead = tmp_path / "instead"
    instead.symlink_to(empty if "empty" in unmounted else tmp_path / "nowhere")

    def unmount(progress: Progress) -> None:
        if progress.done == 3:
            instead.replace(root)  # at once, while another process reads

    with pytest.raises(DataError, match=f"the source is gone: .*{unmounted}"):
        prepare(
            Files(root), tmp_path / "out", Settings(**SMALL), workers=workers, on_progress=unmount
        )
    assert not (tmp_path / "out" / "manifest.json").exists()
    root.unlink()
    root.symlink_to(album)
    prepare(Files(root), tmp_path / "out", Settings(**SMALL))
    assert everything(tmp_path / "out") == everything(tmp_path / "undisturbed")


def test_too_many_damaged_images_end_the_run(album: Path, tmp_path: Path):
    source = tmp_path / "album"
    shutil.copytree(album, source)
    for number in range(100):
        (source / f"t{number:03d}.png").write_bytes(b"<html>")
    with pytest.raises(
        DataError,
        match=r"100 of 120 images could not be used \(100 damaged\), more than --max-bad 0\.8 ",
    ):
        prepare(Files(source), tmp_path / "out", Settings(**SMALL), max_bad=0.8)
    assert not (tmp_path / "out" / "manifest.json").exists()
    prepare(Files(source), tmp_path / "out", Settings(**SMALL), max_bad=0.9)
    assert len(lines(tmp_path / "out" / "rejected.jsonl")) == 100


def test_few_or_a_small_share_are_only_named():
    refuse_many(Progress(99, rejected=Counter(damaged=99)), 0.0, "")
    refuse_many(Progress(1000, rejected=Counter(damaged=90, small=800)), 0.0, "")
    refuse_many(
        Progress(1000, rejected=Counter({"damaged": 60, "crashed the decoder": 40})), 0.1, ""
    )
    with pytest.raises(DataError, match=r"\(60 damaged, 41 crashed the decoder\)"):
        refuse_many(
            Progress(1000, rejected=Counter({"damaged": 60, "crashed the decoder": 41})), 0.1, ""
        )


def test_a_share_beyond_all(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"--max-bad 1\.5: expected from 0 to 1"):
        prepare(Files(tmp_path), tmp_path / "out", Settings(**SMALL), max_bad=1.5)
