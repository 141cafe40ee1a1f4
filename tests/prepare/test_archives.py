import errno
import io
import tarfile
from pathlib import Path

import pytest

from rnncodec.errors import DataError
from rnncodec.prepare import sources
from rnncodec.prepare.listing import Entry
from rnncodec.prepare.sources import members, read_member


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """With two pictures and a caption."""
    with tarfile.open(tmp_path / "b.tar", "w") as file:
        for name, data in (("0001.jpg", b"one"), ("0001.json", b"{}"), ("0002.PNG", b"two")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return tmp_path / "b.tar"


def listed(path: Path) -> list[Entry]:
    return list(members(path, path.name, path.parent))


def test_a_truncated_archive_gives_what_it_has_and_is_named(archive: Path):
    data = archive.read_bytes()
    archive.write_bytes(data[:700] + b"\xff" * 1000)
    last = listed(archive)[-1]
    assert last.name == "b.tar"
    assert "cannot be read on" in last.problem


@pytest.mark.parametrize("place", [0, 1024])
def test_a_hole_in_an_archive_is_not_its_end(archive: Path, place: int):
    data = bytearray(archive.read_bytes())
    data[place : place + 1024] = bytes(1024)
    archive.write_bytes(data)
    last = listed(archive)[-1]
    assert last.problem == "the archive cannot be read on: more follows after an end mark"


def test_a_size_beyond_all_files_is_damage(archive: Path):
    info = tarfile.TarInfo("huge.jpg")
    info.size = 1 << 80
    archive.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    huge, last = listed(archive)
    assert huge.size == 1 << 80
    assert "cannot be read on" in last.problem
    with pytest.raises(
        DataError, match=r"huge\.jpg: 1,208,925,819,614,629,174,706,176 bytes; expected"
    ):
        read_member(archive, huge)


def test_a_member_larger_than_memory_allows(archive: Path, monkeypatch):
    first, *_ = listed(archive)
    monkeypatch.setattr(sources, "MOST_BYTES", 2)
    with pytest.raises(DataError, match=r"b\.tar/0001\.jpg: 3 bytes; expected at most 2"):
        read_member(archive, first)


def test_an_archive_whose_storage_fails_is_not_called_damaged(archive: Path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(tarfile.TarFile, "next", fail)
    with pytest.raises(DataError, match=r"the source's storage failed .*Stale file handle"):
        listed(archive)
