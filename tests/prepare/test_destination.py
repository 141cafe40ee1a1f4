import shutil
import tarfile
from pathlib import Path

import pytest
from tests.prepare.conftest import SMALL, paint
from tests.prepare.test_pipeline import everything

from rnncodec.errors import ConfigError
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import find_source


@pytest.fixture
def copy(album: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(album, tmp_path / "album"))


def make(source: Path, out: Path, **changes) -> Path:
    return prepare(find_source(str(source)), out, Settings(**{**SMALL, **changes}))


def test_pictures_added_or_removed_since_are_noticed(copy: Path, tmp_path: Path):
    make(copy, tmp_path / "out")
    before = everything(tmp_path / "out")
    paint(77).save(copy / "s0" / "new.png")
    with pytest.raises(
        ConfigError, match=r"changed since \(files then 20, now 21\)\. The tiles stay"
    ):
        make(copy, tmp_path / "out")
    (copy / "s1" / "01.png").unlink()
    with pytest.raises(ConfigError, match=r"changed since \(other files\)"):
        make(copy, tmp_path / "out")
    assert everything(tmp_path / "out") == before


def test_an_archive_that_has_grown_is_noticed(copy: Path, tmp_path: Path):
    archive = tmp_path / "photos" / "a.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as file:
        file.add(copy / "s0", "s0")
    make(archive.parent, tmp_path / "out")
    make(archive.parent, tmp_path / "out")
    with tarfile.open(archive, "a") as file:
        file.add(copy / "s1", "s1")
    with pytest.raises(ConfigError, match=r"changed since \(other files\)"):
        make(archive.parent, tmp_path / "out")


def test_a_list_that_has_grown_is_noticed(copy: Path, tmp_path: Path):
    names = [f"s0/{number:02d}.png" for number in range(0, 20, 2)]
    (copy / "list.txt").write_text("\n".join(names[:8]))
    make(copy / "list.txt", tmp_path / "out")
    (copy / "list.txt").write_text("\n".join(names))
    with pytest.raises(ConfigError, match=r"files then 8, now 10"):
        make(copy / "list.txt", tmp_path / "out")


def test_the_advice_works(copy: Path, tmp_path: Path):
    """What was added, prepared as a list, gives a second set to train on beside the first."""
    from rnncodec.data.tile_module import TileData

    make(copy, tmp_path / "old")
    for number in range(50, 58):
        paint(number).save(copy / "s0" / f"{number}.png")
    (copy / "list.txt").write_text("".join(f"s0/{number}.png\n" for number in range(50, 58)))
    make(copy / "list.txt", tmp_path / "new")
    data = TileData([tmp_path / "old", tmp_path / "new"], crop=16)
    data.setup()
    assert any(name.startswith("s0/5") for name in data.train_names)


def test_a_destination_in_the_source(copy: Path):
    with pytest.raises(ConfigError, match=r"album/tiles lies in the source, .*album; choose"):
        make(copy, copy / "tiles")
    assert not (copy / "tiles").exists()


def test_parts_and_the_whole_do_not_share_a_destination(copy: Path, tmp_path: Path):
    make(copy, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"holds manifest\.json, which does not go with --shard"):
        make(copy, tmp_path / "out", part=(0, 2))
    (tmp_path / "other" / "part-001-of-003").mkdir(parents=True)
    for part in ((0, 1), (0, 2)):
        with pytest.raises(ConfigError, match="holds part-001-of-003"):
            make(copy, tmp_path / "other", part=part)


@pytest.mark.parametrize(
    "name",
    [
        *("work/thesis.tex", "work/000000.jsonl", "validation/mine.png", "photographs/a.png"),
        *("shard-000000.tar", "images.jsonl", "rejected.jsonl", "SHA256SUMS", "stats.html"),
    ],
)
def test_files_of_others_are_never_touched(album: Path, tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    before = everything(tmp_path)
    with pytest.raises(ConfigError, match=rf"holds {name.split('/')[0]}, which no run of"):
        make(album, tmp_path)
    assert everything(tmp_path) == before


def test_what_a_run_leaves_that_had_no_time_to_begin_is_no_hindrance(album: Path, tmp_path: Path):
    for folder in ("work", "validation"):
        (tmp_path / folder).mkdir()
    for name in ("work/lock", "work/.plan.json.a1b2c3d4", "README"):
        (tmp_path / name).touch()
    make(album, tmp_path)
    assert not (tmp_path / "work").exists()
    assert (tmp_path / "README").exists()


def test_a_folder_work_beside_a_finished_set_stays(album: Path, tmp_path: Path):
    make(album, tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "current").write_text("mine")
    make(album, tmp_path)
    assert (tmp_path / "work" / "current").read_text() == "mine"


def test_a_source_among_the_files_of_the_destination(copy: Path, tmp_path: Path):
    (tmp_path / "wds").mkdir()
    archive = tmp_path / "wds" / "shard-000000.tar"
    with tarfile.open(archive, "w") as file:
        file.add(copy, "album")
    before = everything(tmp_path)
    with pytest.raises(ConfigError, match=r"shard-000000\.tar has a name that `rnncodec prepare`"):
        make(archive, tmp_path / "wds")
    shutil.move(copy, tmp_path / "wds" / "validation")
    with pytest.raises(ConfigError, match=r"wds/validation has a name that"):
        make(tmp_path / "wds" / "validation", tmp_path / "wds")
    assert sorted(everything(tmp_path).values()) == sorted(before.values())


def test_an_archive_beside_its_tiles_stays(copy: Path, tmp_path: Path):
    archive = tmp_path / "photos.tar"
    with tarfile.open(archive, "w") as file:
        file.add(copy, "album")
    data = archive.read_bytes()
    make(archive, tmp_path)
    make(archive, tmp_path)
    assert archive.read_bytes() == data
