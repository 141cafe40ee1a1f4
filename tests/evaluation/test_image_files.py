"""Every image file has a name of its own."""

import hashlib
from pathlib import Path

import pytest

from rnncodec.errors import DataError
from rnncodec.evaluation.codecs import ImageFile, file_hash, images_in, named


def test_images_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("x.png", "x.jpg", "sub/x.png", "sub/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = images_in(tmp_path)
    assert found[0] == ImageFile("sub/x", tmp_path / "sub/x.png")
    assert [item.name for item in found] == ["sub/x", "sub/y", "x.jpg", "x.png"]


def test_a_name_that_looks_like_a_file_is_not_given_twice() -> None:
    found = named([Path()] * 3, ["x.jpg", "x.png", "x.png.png"])
    assert [item.name for item in found] == ["x.jpg", "x.png", "x.png.png"]


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(DataError, match=r"cannot read .*none: No such file"):
        file_hash(tmp_path / "none")


def test_names_are_text_and_told_apart_whatever_files_are_called() -> None:
    names = ["caf\udce9.png", "caf\udce8.png", "a\nb.png", "x$^$y.png"]
    found = named([Path(name) for name in names], names)
    assert [item.name for item in found] == [r"caf\xe9", r"caf\xe8", r"a\nb", "x$^$y"]
    assert [str(item.path) for item in found] == names, "and read from where they are"
