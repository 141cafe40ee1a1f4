from pathlib import Path

GOLDEN = Path("tests/golden/model.safetensors")


def test_a_file_for_the_page(command, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    done = command("export", "--web", GOLDEN, out)
    assert done.code == 0
    assert "5da1014c22b2352f8c6ba29873935a2a" in done.out
    before = out.read_bytes()
    again = command("export", "--web", GOLDEN, out)
    assert (again.code, out.read_bytes()) == (2, before)
    assert "--force" in again.err
    assert command("export", "--web", "--force", GOLDEN, out).code == 0


def test_graphs_in_a_folder(command, tmp_path: Path) -> None:
    done = command("export", "--onnx", GOLDEN, tmp_path / "onnx")
    assert done.code == 0
    names = sorted(path.name for path in (tmp_path / "onnx").iterdir())
    assert names == ["decoder.onnx", "encoder.onnx", "gain.onnx"]
    assert command("export", "--onnx", GOLDEN, tmp_path / "onnx").code == 2


def test_one_of_the_two_must_be_given(command, tmp_path: Path) -> None:
    for flags in ([], ["--web", "--onnx"]):
        done = command("export", *flags, GOLDEN, tmp_path / "out")
        assert done.code == 2
        assert "either --web or --onnx" in done.err
