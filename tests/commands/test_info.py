"""`rnncodec info`: files, cut files, models, names, foreign files."""

import json
from pathlib import Path

import pytest
from PIL import Image

import rnncodec
from rnncodec.codec import load
from rnncodec.models.model_file import Model, save


@pytest.fixture
def file(tiny, tmp_path: Path) -> Path:
    path = tmp_path / "photo.rnc"
    path.write_bytes(tiny.encode(Image.new("L", (40, 32)), tile=32))
    return path


def test_a_file_in_words(command, file: Path, tiny) -> None:
    done = command("info", file)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == str(file)
    assert "  picture      40x32, grey" in lines
    assert f"  model        {tiny.fingerprint.hex()} (tiny)" in lines
    assert "  tiles        32 pixels" in lines
    assert "  iterations   3 of the 3 it was written with" in lines
    assert [line.split()[0] for line in lines[-3:]] == ["1", "2", "3"]


def test_a_file_for_machines(command, file: Path, tiny) -> None:
    data = file.read_bytes()
    found = json.loads(command("info", "--json", file).out)
    assert found["bytes"] == len(data)
    assert found["bpp"] == pytest.approx(8 * len(data) / (40 * 32))
    assert found["model"] == "tiny"
    for k, row in enumerate(found["iterations"], start=1):
        assert row["bpp"] == 8 * len(rnncodec.truncate(data, iterations=k)) / (40 * 32)


def test_an_adaptive_file(command, photograph, tmp_path: Path) -> None:
    path = tmp_path / "adaptive.rnc"
    golden = load(Path(__file__).parents[1] / "golden" / "model.safetensors")
    path.write_bytes(golden.encode(Image.open(photograph), adaptive="mse=1e-3"))
    found = json.loads(command("info", "--json", path).out)
    assert found["adaptive"]
    shares = [row["sending"] for row in found["iterations"]]
    assert 1 == shares[0] > shares[1] > shares[2] > 0
    assert found["iterations"][1]["coding"] == "masked_entropy"
    lines = command("info", path).out.splitlines()
    assert "  adaptive     yes, positions end" in lines
    assert lines[-1].split()[-3:] == [f"{shares[2]:.1%}", "masked", "entropy"]


def test_a_plain_file_is_not_adaptive(command, file: Path) -> None:
    assert "  adaptive     no, every position sends" in command("info", file).out.splitlines()


def test_a_cut_file_from_standard_input(command, file: Path, monkeypatch) -> None:
    monkeypatch.delenv("RNNCODEC_MODELS")
    done = command("info", "-", stdin=file.read_bytes()[:-1])
    assert "  iterations   2 of the 3 it was written with, cut inside the next one" in done.out
    assert "(not among the models here)" in done.out


def test_a_model_by_name_and_by_path(command, tiny, tmp_path: Path) -> None:
    path = tmp_path / "shelf" / "tiny.safetensors"
    by_name = command("info", "--json", "tiny").out
    assert by_name == command("info", "--json", path).out
    found = json.loads(by_name)
    assert found["fingerprint"] == tiny.fingerprint.hex()
    assert (found["cell"], found["recon"], found["entropy"]) == ("gru", "additive", "progressive")
    assert (found["iterations"], found["score"], found["steps"]) == (3, 0.25, 7)
    assert "  score        0.2500, after 7 steps" in command("info", path).out.splitlines()
    assert "  score of     MS-SSIM" in command("info", path).out.splitlines()


def test_a_score_that_is_no_number(command, tiny, tmp_path: Path) -> None:
    save(tmp_path / "m.safetensors", Model(tiny.model.network, notes={"score": "best"}))
    done = command("info", tmp_path / "m.safetensors")
    assert "  score        unknown" in done.out.splitlines()


def test_several_items_one_of_them_foreign(command, file: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("hello")
    done = command("info", "--json", foreign, file)
    assert done.code == 2
    assert done.err == f"rnncodec: {foreign}: neither a .rnc file nor a model file\n"
    assert json.loads(done.out)["file"] == str(file)


def test_a_damaged_model(command, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"nothing")
    done = command("info", tmp_path / "m.safetensors")
    assert "m.safetensors: not a model file, or damaged" in done.err


def test_a_damaged_file(command, tiny, tmp_path: Path) -> None:
    (tmp_path / "x.rnc").write_bytes(b"\x89RNC\x02")
    done = command("info", tmp_path / "x.rnc")
    assert done.code == 2
    assert "byte 4: format version 2" in done.err


def test_where_header_and_iterations_end(command, file: Path) -> None:
    data = file.read_bytes()
    found = json.loads(command("info", "--json", file).out)
    ends = [len(rnncodec.truncate(data, iterations=k)) for k in (1, 2, 3)]
    assert [row["end"] for row in found["iterations"]] == ends
    assert found["header_bytes"] + found["iterations"][0]["bytes"] == ends[0]
    lines = [line.split() for line in command("info", file).out.splitlines()[-5:]]
    assert lines[0] == ["iteration", "bytes", "end", "bpp", "sending", "coding"]
    assert lines[1] == ["header", f"{found['header_bytes']}", f"{found['header_bytes']}"]
    assert [line[2] for line in lines[2:]] == [f"{end:,}" for end in ends]
