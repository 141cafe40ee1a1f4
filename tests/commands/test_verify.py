"""`rnncodec verify`: whole files, damaged and cut ones, missing models."""

from pathlib import Path

import pytest
from PIL import Image

import rnncodec


@pytest.fixture
def file(tiny, picture, tmp_path: Path) -> Path:
    path = tmp_path / "photo.rnc"
    path.write_bytes(tiny.encode(Image.open(picture("original.png"))))
    return path


def test_a_whole_file(command, file: Path) -> None:
    done = command("verify", file)
    size = file.stat().st_size
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{file}: 3 of 3 iterations, {size:,} bytes, intact\n"
    assert command("verify", file, "--quiet") == (0, "", "")


def test_a_file_that_was_cut_between_iterations_is_whole(command, file: Path) -> None:
    data = rnncodec.truncate(file.read_bytes(), iterations=2)
    done = command("verify", "-", stdin=data)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"standard input: 2 of 3 iterations, {len(data):,} bytes, intact\n"


def test_one_changed_bit_is_found_wherever_it_is(command, file: Path) -> None:
    data = file.read_bytes()
    for place in (10, 60, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        done = command("verify", file)
        assert (done.code, done.out) == (2, ""), place
        assert done.err.startswith(f"rnncodec: {file}: ")


def test_a_folder_with_a_cut_file(command, file: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cut.rnc").write_bytes(file.read_bytes()[:-1])
    done = command("verify", tmp_path)
    assert done.code == 2
    assert done.err == (
        f"rnncodec: {tmp_path / 'deep' / 'cut.rnc'}: cut inside an iteration, after 2 whole ones; "
        "rnncodec truncate makes a whole file of these\n"
    )
    assert done.out.startswith(f"{file}: 3 of 3 iterations")


def test_a_model_that_is_not_here(command, file: Path, monkeypatch) -> None:
    monkeypatch.delenv("RNNCODEC_MODELS")
    done = command("verify", file)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"rnncodec: {file}: ")
