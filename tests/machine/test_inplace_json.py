"""A page is written in place, whole, and read back."""

from pathlib import Path

import pytest

from rnncodec.errors import StorageError
from rnncodec.machine.inplace_json import PAGE, read_page, write_page


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
