import io
import pickle
import tarfile
from pathlib import Path

import datasets
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


def test_a_truncated_archive_gives_what_it_has_and_is_named(folder: Path):
    data = (folder / "b.tar").read_bytes()
    (folder / "b.tar").write_bytes(data[:700] + b"\xff" * 1000)
    last = entries(find_source(str(folder / "b.tar")))[-1]
    assert last.name == "b.tar"
    assert "cannot be read on" in last.problem


@pytest.mark.parametrize("place", [0, 1024])
def test_a_hole_in_an_archive_is_not_its_end(folder: Path, place: int):
    data = bytearray((folder / "b.tar").read_bytes())
    data[place : place + 1024] = bytes(1024)
    (folder / "b.tar").write_bytes(data)
    last = entries(find_source(str(folder / "b.tar")))[-1]
    assert last.problem == "the archive cannot be read on: more follows after an end mark"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside datasets
def test_hugging_face_rows(tmp_path: Path):
    rows = {"label": [3, 4], "photo": [{"path": None, "bytes": b"one"}, None]}
    features = datasets.Features({"label": datasets.Value("int64"), "photo": datasets.Image()})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "set")
    source = pickle.loads(pickle.dumps(find_source(f"hf:{tmp_path / 'set'}")))
    first, second = entries(source)
    assert source.open(first).read() == b"one"
    assert first.name == "000000000"
    with pytest.raises(DataError, match="row 1 has no picture"):
        source.open(second)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside datasets
def test_hugging_face_rows_without_pictures(tmp_path: Path):
    datasets.Dataset.from_dict({"x": [1]}).save_to_disk(tmp_path / "set")
    with pytest.raises(ConfigError, match="no column of pictures, only x"):
        find_source(f"hf:{tmp_path / 'set'}").describe()


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
