"""`rnncodec truncate`: shorter files, no model."""

from pathlib import Path

import pytest
from PIL import Image

import rnncodec
from rnncodec.bitstream import info


@pytest.fixture
def file(tiny, tmp_path: Path, monkeypatch) -> Path:
    path = tmp_path / "photo.rnc"
    path.write_bytes(tiny.encode(Image.effect_noise((64, 64), 80)))
    monkeypatch.delenv("RNNCODEC_MODELS")
    return path


@pytest.mark.parametrize(
    ("arguments", "iterations"), [(("--iterations", 2), 2), (("--max-bytes", 120), 1)]
)
def test_shorter(command, file: Path, arguments: tuple, iterations: int) -> None:
    target = file.with_name("short.rnc")
    done = command("truncate", file, target, *arguments)
    assert done.code == 0
    expected = rnncodec.truncate(file.read_bytes(), iterations=iterations)
    assert target.read_bytes() == expected
    assert f"-> {target} ({len(expected)} bytes)" in done.out
    assert done.out.endswith(f"{iterations} of 3 iterations\n")


def test_to_standard_output(command, file: Path) -> None:
    done = command("truncate", "-", "-", "-n", 1, stdin=file.read_bytes())
    assert done.out.encode("latin-1") == rnncodec.truncate(file.read_bytes(), iterations=1)
    assert "1 of 3 iterations" in done.err


def test_into_a_folder(command, file: Path) -> None:
    for folder in (file.parent / "new/", file.parent / "there"):
        Path(file.parent / "there").mkdir(exist_ok=True)
        done = command("truncate", file, f"{folder}/", "-n", 1)
        assert (done.code, done.err) == (0, "")
        assert info((folder / "photo.rnc").read_bytes()).iterations == 1
    done = command("truncate", "-", file.parent / "there", "-n", 1, stdin=file.read_bytes())
    assert "standard input has no name: name its output in" in done.err


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("short.rnc", (), "give either --iterations or --max-bytes"),
        ("short.rnc", ("-n", 1, "--max-bytes", 9), "give either --iterations or --max-bytes"),
        ("short.rnc", ("-n", 4), "iterations=4: this file has 1..3 to keep"),
        ("photo.rnc", ("-n", 1, "--force"), "photo.rnc: is an input"),
        ("old.rnc", ("-n", 1), "old.rnc: exists; --force replaces it"),
    ],
)
def test_refused(command, file: Path, target: str, arguments: tuple, message: str) -> None:
    file.with_name("old.rnc").write_bytes(b"old")
    before = file.read_bytes()
    done = command("truncate", file, file.with_name(target), *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert file.read_bytes() == before
    assert not file.with_name("short.rnc").exists()


def test_to_a_rate(command, file: Path) -> None:
    rate = info(file.read_bytes()).bpp[1]
    target = file.with_name("short.rnc")
    assert command("truncate", file, target, "--bpp", rate).code == 0
    assert info(target.read_bytes()).bpp[-1] == rate
    done = command("truncate", file, target, "--bpp", 0.01, "--force")
    assert done.code == 2
    assert f"{file}: bpp=0.01: header and first iteration of this file take 0." in done.err


def test_folders(command, file: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.rnc").write_bytes(file.read_bytes())
    (tmp_path / "in" / "deep" / "b.rnc").write_bytes(
        rnncodec.truncate(file.read_bytes(), iterations=1)
    )
    done = command("truncate", tmp_path / "in", tmp_path / "out", "-n", 2)
    assert done.code == 2
    assert "b.rnc: iterations=2: this file has 1..1 to keep" in done.err
    assert [path.name for path in tmp_path.glob("out/**/*.rnc")] == ["a.rnc"]
    done = command("truncate", tmp_path / "in", "--out", tmp_path / "out2", "--max-bytes", 200)
    assert (done.code, done.err) == (0, "")
    found = sorted(path.relative_to(tmp_path / "out2") for path in tmp_path.glob("out2/**/*.rnc"))
    assert found == [Path("a.rnc"), Path("deep/b.rnc")]


def test_an_output_is_needed(command, file: Path) -> None:
    done = command("truncate", file, "-n", 1)
    assert done.code == 2
    assert done.err == (
        f"rnncodec: {file}: name the shorter file after it, or a folder with --out\n"
    )


def test_a_size_is_filled_if_asked(command, file: Path, monkeypatch, tiny) -> None:
    monkeypatch.setenv("RNNCODEC_MODELS", str(file.parent))
    tiny.save(file.with_name("tiny.safetensors"))
    target, limit = file.with_name("short.rnc"), info(file.read_bytes()).ends[2] - 10
    done = command("truncate", file, target, "--max-bytes", limit, "--fill")
    assert (done.code, done.err) == (0, "")
    assert info(file.read_bytes()).ends[1] < target.stat().st_size <= limit
    assert target.read_bytes() == tiny.truncate(file.read_bytes(), max_bytes=limit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--iterations", 2, "--fill"), "--fill goes with --max-bytes or --bpp"),
        (("--bpp", 1, "--model", "compact"), "--model compact: is for --fill"),
    ],
)
def test_filling_is_for_sizes(command, file: Path, arguments: tuple, message: str) -> None:
    done = command("truncate", file, file.with_name("short.rnc"), *arguments)
    assert done.code == 2
    assert message in done.err
