import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.prepare.conftest import SMALL, everything, lines, paint, pictures
from tests.prepare.test_extractor import DAMAGES

from rnncodec.data.perceptual_hash import NearDuplicateIndex
from rnncodec.data.photos import hash_fraction
from rnncodec.data.shards import Layout, ShardFile
from rnncodec.errors import ConfigError, DataError, StorageError
from rnncodec.prepare import output
from rnncodec.prepare.journal import Journal
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Flaw, Mode, Settings
from rnncodec.prepare.sources import Files


@pytest.fixture(scope="module")
def undisturbed(album: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare(Files(album), folder, Settings(**SMALL))
    return folder


def test_what_is_there_in_the_end(album: Path, undisturbed: Path):
    manifest = json.loads((undisturbed / "manifest.json").read_text())
    counts = manifest["counts"]
    assert counts["images"] == 20 == counts["used"] + counts["held_out"]
    assert counts["tiles"] == 5 * counts["used"] == sum(s["tiles"] for s in manifest["shards"])
    assert [shard["tiles"] for shard in manifest["shards"][:-1]] == [16] * 5
    assert not (undisturbed / "work").exists()
    sums = dict(
        reversed(line.split("  ")) for line in (undisturbed / "SHA256SUMS").read_text().split("\n")
        if line
    )  # fmt: skip
    found = everything(undisturbed)
    del found["manifest.json"], found["SHA256SUMS"]
    assert sums == found


def test_tiles_lie_where_their_names_say(album: Path, undisturbed: Path):
    images = {fact["image"]: fact["name"] for fact in lines(undisturbed / "images.jsonl")}
    shard = ShardFile(undisturbed / "shard-000001.tar", Layout(16), 16)
    names = Layout(16).names(shard.members(0, 16))
    for number, (image, top, left, _) in enumerate(zip(*names, strict=True)):
        photo = np.asarray(Image.open(album / images[image]))
        assert np.array_equal(shard.tile(number), photo[top : top + 16, left : left + 16])
    shard.close()


def test_held_out_images_give_no_tiles(undisturbed: Path):
    for fact in lines(undisturbed / "images.jsonl"):
        assert ("held_out" in fact) == (hash_fraction(fact["name"]) < 0.1)
        assert ("tiles" in fact) != ("held_out" in fact)


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_processes_gives_the_same_bytes(
    album: Path, undisturbed: Path, tmp_path: Path, workers: int
):
    prepare(Files(album), tmp_path, Settings(**SMALL), workers=workers)
    assert everything(tmp_path) == everything(undisturbed)


def test_stopped_after_every_image(album: Path, undisturbed: Path, tmp_path: Path):
    """Each run is stopped one image later than the one before, and the next one goes on."""
    finished_at_first = 0
    for stop in range(1, 21):

        def report(progress, stop=stop):
            if progress.done >= stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            prepare(Files(album), tmp_path, Settings(**SMALL), on_progress=report)
        finished_at_first = max(finished_at_first, len(list(tmp_path.glob("shard-*"))))
    assert finished_at_first == 5
    prepare(Files(album), tmp_path, Settings(**SMALL))
    assert everything(tmp_path) == everything(undisturbed)


def killed(album: Path, folder: Path, after: int) -> None:
    def report(progress):
        if progress.done >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    prepare(Files(album), folder, Settings(**SMALL), workers=1, on_progress=report)


def test_kill_9(album: Path, undisturbed: Path, tmp_path: Path):
    spawn = multiprocessing.get_context("spawn")
    for after in (5, 13):
        process = spawn.Process(target=killed, args=(album, tmp_path, after))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    prepare(Files(album), tmp_path, Settings(**SMALL))
    assert everything(tmp_path) == everything(undisturbed)


def test_finished_shards_are_not_done_again(album: Path, tmp_path: Path):
    def stop(progress):
        if progress.done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(Files(album), tmp_path, Settings(**SMALL), on_progress=stop)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("shard-*")}
    seen = []
    prepare(
        Files(album), tmp_path, Settings(**SMALL), on_progress=lambda p: seen.append(p.resumed)
    )
    assert len(before) >= 3
    assert set(seen) == {seen[0]}
    assert seen[0] >= 9
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in before.items())


def test_going_on_compares_no_image_again(with_twin: Path, tmp_path: Path, monkeypatch):
    """What earlier processes found out about twins is in their accounts."""
    settings = Settings(**SMALL, refuse=(Flaw.SMALL,))
    prepare(Files(with_twin), tmp_path / "a", settings)
    with monkeypatch.context() as patched:
        patched.setattr(output, "write_manifest", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(Files(with_twin), tmp_path / "b", settings)
    monkeypatch.setattr(NearDuplicateIndex, "has", lambda *_: pytest.fail("compares"))
    prepare(Files(with_twin), tmp_path / "b", settings)
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def test_parts_together_are_the_whole(album: Path, undisturbed: Path, tmp_path: Path):
    for number in range(3):
        prepare(Files(album), tmp_path, Settings(**SMALL, part=(number, 3)))
    found = [fact for path in tmp_path.glob("part-*/images.jsonl") for fact in lines(path)]
    assert sorted(found, key=lambda fact: fact["image"]) == lines(undisturbed / "images.jsonl")


def test_a_finished_set_is_left_alone(album: Path, undisturbed: Path):
    before = everything(undisturbed)
    prepare(
        Files(album), undisturbed, Settings(**SMALL), on_progress=lambda _: pytest.fail("works")
    )
    assert everything(undisturbed) == before


def test_killed_while_clearing_away(album: Path, undisturbed: Path, tmp_path: Path, monkeypatch):
    def stop(_: Journal) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "remove", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(Files(album), tmp_path, Settings(**SMALL))
    assert (tmp_path / "work").exists()
    prepare(Files(album), tmp_path, Settings(**SMALL))
    assert everything(tmp_path) == everything(undisturbed)


def test_other_settings_are_refused(album: Path, undisturbed: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"made with keep=5, now it is 6; choose another"):
        prepare(Files(album), undisturbed, Settings(**{**SMALL, "keep": 6}))
    with Journal(tmp_path) as journal:
        journal.check({"settings": {"mode": "all"}})
    with pytest.raises(ConfigError, match="made with source=None"):
        prepare(Files(album), tmp_path, Settings(**SMALL))


def test_one_process_at_a_time(album: Path, tmp_path: Path):
    with Journal(tmp_path), pytest.raises(StorageError, match="another `rnncodec prepare`"):
        prepare(Files(album), tmp_path, Settings(**SMALL))


def test_one_percent_of_ten_kinds_of_damage(tmp_path: Path):
    """All are named, and the shards are those of the other 990 images alone."""
    settings = Settings(tile=16, keep=1, min_side=16, shard_tiles=128, refuse=(), photographs=1)
    (tmp_path / "good").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (990, 16, 16, 3), np.uint8)
    for number in range(990):
        Image.fromarray(pixels[number]).save(tmp_path / "good" / f"{number:03d}.png")
    shutil.copytree(tmp_path / "good", tmp_path / "both")
    for number, make in enumerate(DAMAGES.values()):
        (tmp_path / "both" / f"{99 * number:03d}x.jpg").write_bytes(make())
    prepare(Files(tmp_path / "good"), tmp_path / "a", settings)
    prepare(Files(tmp_path / "both"), tmp_path / "b", settings)
    rejected = lines(tmp_path / "b" / "rejected.jsonl")
    assert [fact["name"] for fact in rejected] == [f"{99 * n:03d}x.jpg" for n in range(10)]
    assert {fact["rejected"] for fact in rejected} == {"damaged"}
    assert all(fact["name"] in fact["reason"] for fact in rejected)
    assert pictures(tmp_path / "a") == pictures(tmp_path / "b")


@pytest.fixture
def with_twin(album: Path, tmp_path: Path) -> Path:
    shutil.copytree(album, tmp_path / "album")
    Image.open(album / "s0" / "04.png").save(tmp_path / "album" / "t.jpg", quality=85)
    return tmp_path / "album"


def test_near_duplicates(with_twin: Path, tmp_path: Path):
    prepare(Files(with_twin), tmp_path / "a", Settings(**SMALL))
    (twin,) = lines(tmp_path / "a" / "rejected.jsonl")
    assert (twin["name"], twin["rejected"]) == ("t.jpg", "duplicate")
    prepare(Files(with_twin), tmp_path / "b", Settings(**SMALL, refuse=(Flaw.SMALL,)))
    counts = json.loads((tmp_path / "b" / "manifest.json").read_text())["counts"]
    assert counts["rejected"] == {}
    assert counts["noticed"] == {"duplicate": 1}


def test_excluded_pictures(with_twin: Path, tmp_path: Path):
    (tmp_path / "evaluation").mkdir()
    shutil.copy(with_twin / "s0" / "04.png", tmp_path / "evaluation" / "x.png")
    prepare(Files(with_twin), tmp_path / "a", Settings(**SMALL), exclude=tmp_path / "evaluation")
    rejected = lines(tmp_path / "a" / "rejected.jsonl")
    assert {fact["name"]: fact["rejected"] for fact in rejected} == {
        "s0/04.png": "excluded",
        "t.jpg": "excluded",
    }


def test_thumbnails_are_one_tile_each(album: Path, tmp_path: Path):
    prepare(Files(album), tmp_path, Settings(**SMALL, mode=Mode.THUMBNAIL))
    counts = json.loads((tmp_path / "manifest.json").read_text())["counts"]
    assert counts["tiles"] == counts["used"]


def test_more_tiles_of_an_image_than_a_shard_has(album: Path, tmp_path: Path):
    settings = Settings(**{**SMALL, "shard_tiles": 4, "mode": Mode.ALL})
    prepare(Files(album), tmp_path / "a", settings)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["counts"]["tiles"] == 30 * manifest["counts"]["used"]
    assert {shard["tiles"] for shard in manifest["shards"][:-1]} == {4}
    for stop in (3, 7):

        def report(progress, stop=stop):
            if progress.done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            prepare(Files(album), tmp_path / "b", settings, on_progress=report)
    prepare(Files(album), tmp_path / "b", settings)
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def test_where_it_came_from(album: Path, tmp_path: Path):
    finished = prepare(Files(album), tmp_path / "out", Settings(**SMALL), note="mine, CC0")
    source = json.loads(finished.read_text())["source"]
    assert source["kind"] == "folder"
    assert source["name"] == album.name
    assert source["note"] == "mine, CC0"
    assert source["items"] == source["images"] == 20
    for path in (tmp_path / "out").rglob("*.json*"):
        assert str(album.parent) not in path.read_text()


def test_a_folder_of_the_same_name_is_another_source(album: Path, tmp_path: Path):
    shutil.copytree(album, tmp_path / album.name)
    with pytest.raises(KeyboardInterrupt):
        prepare(Files(album), tmp_path / "out", Settings(**SMALL), on_progress=interrupt)
    with pytest.raises(ConfigError, match="made with place="):
        prepare(Files(tmp_path / album.name), tmp_path / "out", Settings(**SMALL))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_no_tile_at_all(tmp_path: Path):
    (tmp_path / "album").mkdir()
    paint(1, (20, 20)).save(tmp_path / "album" / "a.png")
    with pytest.raises(DataError, match=r"no tile came of 1 images: rejected .'small': 1."):
        prepare(Files(tmp_path / "album"), tmp_path / "out", Settings(**SMALL))


def test_a_source_without_pictures(tmp_path: Path):
    (tmp_path / "album").mkdir()
    with pytest.raises(DataError, match="the source has no picture in it"):
        prepare(Files(tmp_path / "album"), tmp_path / "out", Settings(**SMALL))


def test_pictures_that_come_later_are_found(tmp_path: Path):
    (tmp_path / "album").mkdir()
    with pytest.raises(DataError, match="the source has no picture in it"):
        prepare(Files(tmp_path / "album"), tmp_path / "out", Settings(**SMALL))
    for seed in range(4):
        paint(seed, (64, 64)).save(tmp_path / "album" / f"{seed}.png")
    assert prepare(Files(tmp_path / "album"), tmp_path / "out", Settings(**SMALL)).exists()
