import json
import subprocess
import sys
from pathlib import Path

SMALL = (
    *("--tile", 16, "--keep", 4, "--min-side", 16, "--shard-tiles", 8),
    *("--workers", 0, "--val-fraction", 0.3),
)


def fill(picture) -> Path:
    paths = [picture(f"album/{'x' * number}.png", (48, 48)) for number in range(1, 9)]
    return paths[0].parent


def test_it_prints_the_manifest_and_the_page(command, picture, tmp_path: Path):
    done = command("prepare", fill(picture), tmp_path / "set", *SMALL, "--stats")
    assert done.code == 0, done.err
    manifest, page = done.out.splitlines()
    counts = json.loads(Path(manifest).read_text())["counts"]
    assert counts["images"] == 8
    assert Path(page).name == "stats.html"
    assert "8 of 8 images" in done.err


def test_again_it_does_nothing(command, picture, tmp_path: Path):
    album = fill(picture)
    command("prepare", album, tmp_path / "set", *SMALL)
    again = command("prepare", album, tmp_path / "set", *SMALL)
    assert (again.code, again.err) == (0, "")


def test_other_settings_are_one_line(command, picture, tmp_path: Path):
    album = fill(picture)
    command("prepare", album, tmp_path / "set", *SMALL)
    done = command("prepare", album, tmp_path / "set", *SMALL, "--mode", "random")
    assert done.code == 2
    assert "holds tiles made with mode=high-entropy, now it is random" in done.err


def test_a_part(command, picture, tmp_path: Path):
    done = command("prepare", fill(picture), tmp_path / "set", *SMALL, "--shard", "1/2")
    assert done.code == 0, done.err
    assert (tmp_path / "set" / "part-001-of-002" / "manifest.json").is_file()


def test_what_cannot_work(command, tmp_path: Path):
    assert "--filter ugly" in command("prepare", tmp_path, "x", "--filter", "ugly").err
    assert "--workers -1" in command("prepare", tmp_path, "x", "--workers", -1).err
    assert "--max-bad 2" in command("prepare", tmp_path, tmp_path / "x", "--max-bad", 2).err
    assert "nowhere: no such file" in command("prepare", "nowhere", "x").err


def test_preparing_loads_no_torch():
    modules = "rnncodec.prepare.pipeline, rnncodec.prepare.progress, rnncodec.prepare.stats_page"
    program = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
