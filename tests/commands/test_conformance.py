"""The command that holds decoders against the conformance files, and the files themselves."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from rnncodec.commands import conformance
from rnncodec.errors import ConfigError, DataError

GOLDEN = Path("tests/golden")
ENTRIES = conformance.read_manifest(GOLDEN)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_our_decoder_conforms(entry: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "models"
    folder.mkdir(exist_ok=True)
    name = Path(entry["model"]).stem
    plain = folder / name
    if entry["model"].endswith(".gz") and plain.exists():
        model = plain
    else:
        model = conformance.unpacked(GOLDEN / entry["model"], folder)
    outcome = conformance.ours(model, GOLDEN / entry["file"], folder)
    assert not conformance.difference(entry, outcome, GOLDEN)


def test_the_set_is_small_and_whole() -> None:
    made = list((GOLDEN / "set").iterdir())
    assert sum(path.stat().st_size for path in made) < 1_500_000
    assert all(path.stat().st_size < 100_000 for path in made if path.suffix == ".gz")
    named = {entry["file"] for entry in ENTRIES}
    assert {f"set/{path.name}" for path in made if path.suffix == ".rnc"} <= named
    assert {f"{path.name}" for path in GOLDEN.glob("*.rnc")} <= named
    told = " ".join(entry["exercises"] for entry in ENTRIES)
    parts = ["gru", "gru_resnet", "lstm", "assoc_lstm", "one_shot", "additive", "scaled_additive"]
    parts += ["progressive", "binary_rnn", "no entropy model", "mode 0", "mode 1", "mode 2"]
    assert not {
        part for part in [*parts, "mode 3", "priming", "255 iterations"] if part not in told
    }
    assert {entry["error"] for entry in ENTRIES if "error" in entry} == set(conformance.CLASSES)


def small(folder: Path, **changes: object) -> Path:
    """A set of one good and one broken file."""
    (folder / "set").mkdir(parents=True)
    entries = [
        entry for entry in ENTRIES if entry["file"] in ("set/example.rnc", "set/broken-flag.rnc")
    ]
    for entry in entries:
        for name in (entry["file"], entry["model"], entry.get("pixels")):
            if name:
                (folder / name).write_bytes((GOLDEN / name).read_bytes())
    entries[0] = {**entries[0], **changes}
    text = json.dumps({"format": 1, "files": entries})
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return folder


def program(folder: Path, text: str) -> str:
    """A decoder in Python, as a command."""
    path = folder / "decoder.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


COPY = """
import sys
from pathlib import Path
from rnncodec.errors import BitstreamError
from rnncodec.codec import load
model, file, codes, pixels = map(Path, sys.argv[1:])
codec = load(model)
try:
    Path(codes).write_bytes(codec.decode_codes(file.read_bytes()).tobytes())
    codec.decode(file.read_bytes()).save(pixels, "PPM")
except BitstreamError as error:
    sys.exit(f"{error.kind}: {error}")
"""


def test_our_own_and_another_decoder(command, tmp_path: Path) -> None:
    folder = small(tmp_path / "files")
    for more in ([], ["--decoder", program(tmp_path, COPY)]):
        done = command("conformance", folder, *more)
        assert (done.code, done.out.splitlines()[-1]) == (0, "2 of 2 files are as they must be")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import sys; sys.exit('damaged: all of them')", "expected a picture, got error damaged"),
        ("raise ValueError('a fault of its own')", "a fault of its own"),
        ("", "what it wrote cannot be read"),
        (
            COPY + "data = bytearray(codes.read_bytes()); data[0] ^= 1; codes.write_bytes(data)",
            "the codes differ",
        ),
        (
            f"{COPY}from PIL import Image as I\n"
            "I.open(pixels).point(lambda v: v ^ 2).save(pixels, 'PPM')",
            "pixels differ by up to 2 levels",
        ),
    ],
)
def test_a_decoder_that_is_wrong(command, tmp_path: Path, text: str, told: str) -> None:
    done = command("conformance", small(tmp_path / "files"), "--decoder", program(tmp_path, text))
    assert done.code == 1
    assert told in done.out
    assert "FAIL" in done.out


def test_what_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no manifest"):
        conformance.read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 1, "files": [{}]}')
    with pytest.raises(DataError, match="no manifest"):
        conformance.read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 2, "files": []}')
    with pytest.raises(ConfigError, match="upgrade"):
        conformance.read_manifest(tmp_path)


def test_a_model_that_is_no_gzip(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.gz").write_bytes(gzip.compress(b"x")[:-3])
    with pytest.raises(DataError, match="cannot be read"):
        conformance.unpacked(tmp_path / "model.safetensors.gz", tmp_path)


def test_a_command_that_is_not_there(command, tmp_path: Path) -> None:
    done = command("conformance", small(tmp_path / "files"), "--decoder", "/no/such/decoder")
    assert done.code == 2
    assert "cannot be run" in done.err
