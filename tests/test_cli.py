import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

import rnncodec.data.evaluation_sets
from rnncodec import __version__, cli
from rnncodec.errors import DataError


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["rnncodec", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code


def test_version(monkeypatch, capsys):
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__


def test_fetch_prints_the_folder(monkeypatch, capsys, tmp_path: Path):
    monkeypatch.setattr(
        rnncodec.data.evaluation_sets, "fetch_kodak", lambda folder: folder / "kodak"
    )
    assert run(monkeypatch, "fetch", "kodak", "--to", str(tmp_path)) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "kodak")


def test_unknown_set_lists_the_valid_ones(monkeypatch, capsys):
    assert run(monkeypatch, "fetch", "imagenet") == 2
    assert capsys.readouterr().err == (
        "rnncodec: nothing named 'imagenet' to fetch; valid: kodak\n"
    )


def test_an_error_is_one_line_without_traceback(monkeypatch, capsys, tmp_path: Path):
    def fail(_: Path) -> None:
        raise DataError("the server said:\n  no")

    monkeypatch.setattr(rnncodec.data.evaluation_sets, "fetch_kodak", fail)
    assert run(monkeypatch, "fetch", "kodak", "--to", str(tmp_path)) == 2
    captured = capsys.readouterr()
    assert captured.err == "rnncodec: the server said: no\n"
    assert captured.out == ""


def test_unknown_command(monkeypatch, capsys):
    assert run(monkeypatch, "frobnicate") == 2
    assert "frobnicate" in capsys.readouterr().err


@pytest.mark.parametrize("buffering", [0, -1], ids=["PYTHONUNBUFFERED", "buffered"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "a.rnc"),
        ("truncate", "a.rnc", "-", "-n", "1"),
        ("compress", "a.png", "b.rnc", "-m", "tiny"),
        ("compress", "a.png", "-", "-m", "tiny"),
        ("decompress", "a.rnc", "-"),
    ],
)
def test_a_full_disk_behind_stdout_is_one_line(
    arguments: tuple[str, ...], buffering: int, monkeypatch, capsys, tiny, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    image = Image.effect_noise((40, 30), 80)
    image.save("a.png")
    Path("a.rnc").write_bytes(tiny.encode(image))
    with io.TextIOWrapper(Path("/dev/full").open("wb", buffering), write_through=True) as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run(monkeypatch, *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("a.")] == [lines[-1]]
    assert lines[-1].endswith("standard output: could not be written (No space left on device)")


def test_nobody_who_reads_stdout_is_no_word(monkeypatch, capsys, tiny, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((40, 30), 80).save("a.png")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert run(monkeypatch, "compress", "a.png", "-m", "tiny") == 1
    assert capsys.readouterr().err == ""


def test_help_loads_neither_torch_nor_lightning():
    program = (
        "import sys, rnncodec.cli\n"
        "print([name for name in ('torch', 'lightning', 'hydra') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_there_and_back_through_pipes(tiny, tmp_path: Path):
    image = Image.effect_noise((40, 30), 80)
    image.save(tmp_path / "a.png")
    program = [sys.executable, "-c", "from rnncodec.cli import main; main()"]
    coded = subprocess.run(
        [*program, "compress", str(tmp_path / "a.png"), "-", "--model", "tiny"],
        check=True,
        capture_output=True,
    )
    assert coded.stdout.startswith(b"\x89RNC")
    assert coded.stderr.decode().startswith(f"{tmp_path / 'a.png'} (")
    shown = subprocess.run(
        [*program, "decompress", "-"], input=coded.stdout, check=True, capture_output=True
    )
    with Image.open(io.BytesIO(shown.stdout)) as decoded:
        assert (decoded.format, decoded.mode, decoded.size) == ("PNG", "L", (40, 30))
        assert ImageChops.difference(decoded, tiny.decode(coded.stdout)).getextrema()[1] <= 1
    failed = subprocess.run(
        [*program, "decompress", "-"], input=b"x", check=False, capture_output=True
    )
    assert failed.returncode == 2
    assert failed.stderr == (
        b"rnncodec: standard input: byte 0: not an rnc file: starts with b'x', expected "
        b"b'\\x89RNC'\n"
    )


def test_the_package_is_the_command() -> None:
    program = [sys.executable, "-m", "rnncodec", "--version"]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == __version__


def test_a_shell_can_complete_commands_and_options() -> None:
    found = {}
    for words, index in (("rnncodec comp", "1"), ("rnncodec compress --max-by", "2")):
        done = subprocess.run(
            [sys.executable, "-c", "from rnncodec.cli import app; app(prog_name='rnncodec')"],
            env=os.environ
            | {"_RNNCODEC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": index},
            capture_output=True,
            text=True,
            check=False,
        )
        found[words] = done.stdout.split()
    assert {"compress", "compare"} <= set(found["rnncodec comp"])
    assert found["rnncodec compress --max-by"] == ["--max-bytes"]
