import io
import tarfile
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.listing import Entry
from rnncodec.prepare.sources import Source, find_source


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, and an archive between them with two pictures and a caption."""
    for name in ("z.jpg", "a/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "notes.txt").write_text("z.jpg\n\n  b.tar\n")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        add(archive, "0001.jpg", b"one")
        add(archive, "0001.json", b"{}")
        add(archive, "sub/0002.PNG", b"two")
    return tmp_path


def entries(source: Source) -> list[Entry]:
    return [entry for item in source.items() for entry in source.entries(item)]


def contents(source: Source) -> dict[str, bytes]:
    found = {}
    for entry in entries(source):
        where = source.open(entry)
        found[entry.name] = where.read_bytes() if isinstance(where, Path) else where.read()
    return found


def test_a_folder_with_archives(folder: Path):
    found = contents(find_source(str(folder)))
    assert list(found.items()) == [
        ("a/b.png", b"a/b.png"),
        ("b.tar/0001.jpg", b"one"),
        ("b.tar/sub/0002.PNG", b"two"),
        ("z.jpg", b"z.jpg"),
    ]


def test_extensions_are_read_in_any_case(folder: Path):
    (folder / "b.tar").rename(folder / "b.TAR")
    (folder / "notes.txt").write_text("b.TAR\n")
    (folder / "notes.txt").rename(folder / "notes.TXT")
    for text in (folder / "b.TAR", folder / "notes.TXT"):
        assert list(contents(find_source(str(text)))) == ["b.TAR/0001.jpg", "b.TAR/sub/0002.PNG"]
    assert "b.TAR/0001.jpg" in contents(find_source(str(folder)))


def test_a_list_of_no_paths_is_told_item_by_item(folder: Path):
    (folder / "notes.txt").write_text("a\0b.tar\nz.jpg\n")
    first, second = entries(find_source(str(folder / "notes.txt")))
    assert "cannot be read on: embedded null byte" in first.problem
    assert second.name == "z.jpg"


def test_an_archive_alone(folder: Path):
    source = find_source(str(folder / "b.tar"))
    assert list(contents(source)) == ["b.tar/0001.jpg", "b.tar/sub/0002.PNG"]
    assert source.describe() == {"kind": "archive", "name": "b.tar"}


def test_a_text_list_keeps_its_order(folder: Path):
    found = contents(find_source(str(folder / "notes.txt")))
    assert list(found) == ["z.jpg", "b.tar/0001.jpg", "b.tar/sub/0002.PNG"]


def test_a_parquet_list(folder: Path):
    table = pyarrow.table({"width": [1, 2], "path": ["z.jpg", "a/b.png"]})
    parquet.write_table(table, folder / "l.parquet")
    assert list(contents(find_source(str(folder / "l.parquet")))) == ["z.jpg", "a/b.png"]


def test_a_parquet_list_without_paths(folder: Path):
    parquet.write_table(pyarrow.table({"x": [1], "y": [2]}), folder / "l.parquet")
    with pytest.raises(ConfigError, match="has the columns x, y; expected one of path, file"):
        list(find_source(str(folder / "l.parquet")).items())


def test_what_is_no_parquet_file_is_named(folder: Path):
    (folder / "l.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"l\.parquet is no parquet file"):
        list(find_source(str(folder / "l.parquet")).items())


@pytest.mark.parametrize("package", ["datasets", "pyarrow"])
def test_a_missing_extra_is_named(monkeypatch, folder: Path, package: str):
    parquet.write_table(pyarrow.table({"path": ["z.jpg"]}), folder / "l.parquet")
    monkeypatch.setitem(__import__("sys").modules, package, None)
    text = {"datasets": "hf:name", "pyarrow": str(folder / "l.parquet")}[package]
    with pytest.raises(ConfigError, match=r"pip install 'rnncodec\[prepare\]'"):
        list(find_source(text).items())


def test_a_description_holds_no_path_of_this_machine(folder: Path):
    parquet.write_table(pyarrow.table({"path": ["z.jpg"]}), folder / "l.parquet")
    for text in (folder, folder / "b.tar", folder / "notes.txt", folder / "l.parquet"):
        source = find_source(str(text))
        assert source.describe()["name"] == text.name
        assert source.place() == str(text)
        assert not any(str(folder) in str(found) for found in (source.describe(), entries(source)))


def test_a_list_of_whole_paths(folder: Path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.jpg"
    (folder / "notes.txt").write_text(f"{folder}/z.jpg\n{elsewhere}\n")
    names = [entry.name for entry in entries(find_source(str(folder / "notes.txt")))]
    assert names == ["z.jpg", str(elsewhere)]


def test_reasons_hold_no_path_of_this_machine(folder: Path):
    (folder / "notes.txt").write_text("gone.tar\nb.tar\n")
    source = find_source(str(folder / "notes.txt"))
    gone, member, *_ = entries(source)
    assert gone.problem == "the archive cannot be read on: No such file or directory"
    (folder / "b.tar").unlink()
    with pytest.raises(DataError, match=r"^cannot read b\.tar: No such file"):
        source.open(member)


def test_what_is_no_source(folder: Path):
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        find_source("nowhere")
    (folder / "a.tar.gz").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"a\.tar\.gz: expected a folder, a list"):
        find_source(str(folder / "a.tar.gz"))


APPLE_DOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X".ljust(16) + bytes(14)
"""What macOS puts into `._NAME` beside each file NAME: no picture, whatever NAME ends with."""

HIDDEN = ("._0001.jpg", "sub/._0002.jpg", "__MACOSX/sub/0003.jpg", ".thumbnails/0004.jpg")
SEEN = ("./0001.jpg", "sub/0002.jpg")


@pytest.mark.parametrize("kind", ["folder", "archive", "list"])
def test_hidden_files_are_passed_over_everywhere(tmp_path: Path, kind: str):
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for name in (*HIDDEN, *SEEN):
            path = tmp_path / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(APPLE_DOUBLE)
            add(archive, name, APPLE_DOUBLE)
    places = [*HIDDEN, *SEEN, str(tmp_path / "._0005.jpg"), f"{tmp_path}/.seen/0006.jpg"]
    (tmp_path / "files" / "list.txt").write_text("\n".join(places))
    if kind == "list":
        found = [entry.name for entry in entries(find_source(str(tmp_path / "files/list.txt")))]
        # of what is outside, the list's author knows best where it is
        assert found == ["./0001.jpg", "sub/0002.jpg", f"{tmp_path}/.seen/0006.jpg"]
        return
    place = {"folder": "files", "archive": "photos.tar"}[kind]
    found = [entry.name for entry in entries(find_source(str(tmp_path / place)))]
    start = "" if kind == "folder" else "photos.tar/"
    assert [name.removeprefix(start).removeprefix("./") for name in found] == [
        "0001.jpg",
        "sub/0002.jpg",
    ]
