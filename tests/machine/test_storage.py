"""Whole or not at all."""

import os
from pathlib import Path

import pytest

from rnncodec.errors import StorageError
from rnncodec.machine.storage import PAGE, printable, read_page, replacing, write_page, write_text


def test_replaces_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    write_text(target, "old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_others_may_read_it_even_if_the_writer_made_it_private(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with replacing(target) as temporary:
        temporary.write_text("new")
        temporary.chmod(0o600)
    (tmp_path / "plain").touch()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_error_inside_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"a\.txt: could not be written"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    for name in ("there", "not_there"):
        (tmp_path / name).symlink_to(f"far/{name}")
    (tmp_path / "far/there").write_text("old")
    for name in ("there", "not_there"):
        write_text(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "far" / name).read_text() == "new"


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe_is_not_replaced(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(StorageError, match=f"{name}: is no regular file, and not replaced"):
        write_text(tmp_path / name, "x")
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a folder; name a file, in it for example"):
        write_text(tmp_path, "x")


def test_written_in_place_with_the_same_size(tmp_path: Path) -> None:
    page = tmp_path / "page"
    write_page(page, {"reason": "é" * 10_000})
    inode = page.stat().st_ino
    assert page.stat().st_size == PAGE, "long texts are cut, even those that JSON makes longer"
    write_page(page, {"a": 1})
    assert (page.stat().st_ino, page.stat().st_size) == (inode, PAGE)
    assert read_page(page) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_damaged_page_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "page").write_bytes(content)
    assert read_page(tmp_path / "page") is None


def test_missing_page_is_none_and_a_page_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    assert read_page(tmp_path / "page") is None
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        write_page(tmp_path / "file" / "page", {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Zürich, 雨 $5 a|b\u202fPM", "Zürich, 雨 $5 a|b\u202fPM"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
        ("a\nb\tc\x1b[31m", r"a\nb\tc\x1b[31m"),
        ("half \ud800 line\u2028", r"half \ud800 line\u2028"),
    ],
)
def test_what_cannot_be_printed_is_written_out(name: str, text: str) -> None:
    assert printable(name) == text
    text.encode()
