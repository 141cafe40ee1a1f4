"""`rnncodec compress`: every way to name files, targets, warnings, refusals."""

import io
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.bitstream import info
from rnncodec.codec import load
from rnncodec.coding.input_image import from_image
from rnncodec.commands import compress as module
from rnncodec.commands.compress import Loaded, batches
from rnncodec.commands.files import Job

pytestmark = pytest.mark.usefixtures("tiny")
MODEL = ("--model", "tiny")
GOLDEN = Path(__file__).parents[1] / "golden" / "model.safetensors"


def test_one_file_reports_bytes_rate_and_ratio(command, picture, tmp_path: Path) -> None:
    source, target = picture(), tmp_path / "a.rnc"
    done = command("compress", source, target, *MODEL)
    before, after = source.stat().st_size, target.stat().st_size
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"{source} ({before:,} bytes) -> {target} ({after:,} bytes): "
        f"{8 * after / (40 * 32):.3f} bpp, {before / after:.1f}:1, 3 iterations\n"
    )
    assert info(target.read_bytes()).header.width == 40


def test_codec_writes_the_same_bytes(command, picture, tmp_path, tiny) -> None:
    source = picture()
    command("compress", source, *MODEL, "-n", 2)
    expected = tiny.encode(Image.open(source), iterations=2)
    assert source.with_suffix(".rnc").read_bytes() == expected


def test_a_folder_keeps_its_structure(command, picture, tmp_path: Path) -> None:
    picture("in/a.png"), picture("in/deep/b.jpg"), picture("in/deep/.hidden.png")
    done = command("compress", tmp_path / "in", tmp_path / "coded", *MODEL)
    assert done.code == 0
    found = sorted(p.relative_to(tmp_path / "coded") for p in (tmp_path / "coded").rglob("*.rnc"))
    assert found == [Path("a.rnc"), Path("deep/b.rnc")]


def test_one_failing_file_of_many_is_reported_and_the_others_are_done(
    command, picture, tmp_path: Path
) -> None:
    files = [picture("a.png"), tmp_path / "b.png", picture("d.png")]
    files[1].write_bytes(b"no picture")
    done = command("compress", *files, "--out", tmp_path / "coded", *MODEL)
    assert done.code == 2
    assert sorted(p.name for p in (tmp_path / "coded").iterdir()) == ["a.rnc", "d.rnc"]
    assert done.err == (
        f"rnncodec: cannot read image {files[1]}: not a format that Pillow decodes\n"
    )


def test_a_mistyped_output_is_no_input(command, picture, tmp_path: Path) -> None:
    done = command("compress", picture("a.png"), picture("b.png"), tmp_path / "coded", *MODEL)
    assert done.code == 2
    assert done.err.startswith(f"rnncodec: {tmp_path / 'coded'}: no such file; nor is it an outp")
    assert not list(tmp_path.glob("*.rnc"))


def test_pictures_of_one_size_are_coded_together(command, picture, tmp_path, monkeypatch) -> None:
    from rnncodec.codec import Codec

    batch_sizes = []
    encode_all = Codec.encode_all

    def spy(self, images, **targets):
        batch_sizes.append(len(images))
        return encode_all(self, images, **targets)

    monkeypatch.setattr(Codec, "encode_all", spy)
    for k in range(3):
        picture(f"in/wide{k}.png", (48, 32))
        picture(f"in/x{k}.png", (32, 48))
    command("compress", tmp_path / "in", "--out", tmp_path / "a", *MODEL)
    assert batch_sizes == [3, 3]
    batch_sizes.clear()
    command("compress", tmp_path / "in", "--out", tmp_path / "b", *MODEL, "--bpp", "0.3")
    assert batch_sizes == [1] * 6, "targets are reached, and missed, by each picture alone"


def test_batches_are_bounded(monkeypatch) -> None:
    job = Job(None, None)
    items = [Loaded(job, from_image(Image.new("RGB", size)), 1) for size in [(8, 8)] * 5]
    assert [len(batch) for batch in batches(items, 3)] == [3, 2]
    monkeypatch.setattr(module, "BATCH_PIXELS", 130)
    assert [len(batch) for batch in batches(items, 8)] == [2, 2, 1]
    monkeypatch.setattr(module, "BATCH_PIXELS", 1)
    assert [len(batch) for batch in batches(items, 8)] == [1] * 5


def test_standard_input_and_output(command, picture, tiny) -> None:
    data = picture().read_bytes()
    done = command("compress", "-", *MODEL, stdin=data)
    assert done.code == 0
    assert done.out.encode("latin-1") == tiny.encode(Image.open(io.BytesIO(data)))
    assert done.err.startswith(f"standard input ({len(data):,} bytes) -> standard output (")


def test_a_rate_out_of_reach_is_one_line(command, picture) -> None:
    source = picture()
    done = command("compress", source, *MODEL, "--bpp", "0.001")
    assert done.code == 0
    assert done.err.startswith(f"rnncodec: warning: {source}: bpp=0.001 cannot be reached")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "target", [("--bpp", "0.001"), ("--psnr", "90"), ("--psnr", "90", "--adaptive", "mse")]
)
def test_a_target_out_of_reach_is_an_error_if_asked(command, picture, target: tuple) -> None:
    source = picture()
    done = command("compress", source, *MODEL, *target, "--strict")
    assert done.code == 2
    name = target[0].removeprefix("--")
    assert re.fullmatch(
        rf"rnncodec: {source}: {name}={target[1]} cannot be reached with this model and image, "
        r"whose best is [\d.]+; without --strict that is written\n",
        done.err,
    )
    assert not source.with_suffix(".rnc").exists()


def test_strict_leaves_the_others_alone(command, picture, tmp_path: Path) -> None:
    picture("in/small.png", (16, 16)), picture("in/wide.png", (160, 64))
    done = command("compress", tmp_path / "in", tmp_path / "out", *MODEL, "--bpp", 1, "--strict")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["wide.rnc"]


def test_a_picture_is_not_its_own_output(command, picture) -> None:
    source = picture()
    done = command("compress", source, source, *MODEL, "--force")
    assert done.err == (
        f"rnncodec: {source}: is an input and cannot be the output as well: outputs end in .rnc\n"
    )


def test_what_cannot_be_kept_is_said(command, picture) -> None:
    source = picture()
    image = Image.open(source)
    image.putalpha(128)
    image.save(source)
    done = command("compress", source, *MODEL)
    assert done.err == (
        f"rnncodec: warning: {source}: transparency is not kept: composited over white\n"
    )


def test_sixteen_bits_a_channel_are_said(command, tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    source = tmp_path / "deep.png"
    header = struct.pack(">IIBBBBB", 4, 2, 16, 2, 0, 0, 0)  # 4x2 pixels, RGB of 16 bits
    rows = zlib.compress(2 * (b"\0" + 4 * b"\x12\x34\x56\x78\x9a\xbc"))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    source.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    done = command("compress", source, *MODEL)
    assert done.err == (
        f"rnncodec: warning: {source}: more than 8 bits per channel are not kept: rounded to 8\n"
    )


def test_nothing_is_overwritten_unasked(command, picture, tmp_path: Path) -> None:
    source, target = picture(), tmp_path / "old.rnc"
    target.write_bytes(b"old")
    done = command("compress", source, target, *MODEL)
    assert done.code == 2
    assert done.err == f"rnncodec: {source}: {target}: exists; --force replaces it\n"
    assert target.read_bytes() == b"old"
    assert command("compress", source, target, *MODEL, "--force").code == 0
    assert info(target.read_bytes()).iterations == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bpp", "-1"), "bpp=-1.0: expected a positive number"),
        (("--iterations", "4"), "iterations=4: this model was trained for 1..3"),
        (("--bpp", "1", "--psnr", "30"), "give at most one of --iterations, --bpp, --ms-ssim"),
        (("--force", "--skip-existing"), "give at most one of --force and --skip-existing"),
        (("--tile", "17"), "tile=17: expected a multiple of 16"),
        (("--device", "warp"), "device=warp: cannot be used here"),
        (("--model", "nobody"), "nobody: no such model file.*names known here: tiny"),
    ],
)
def test_bad_settings_are_said_once(command, picture, tmp_path, arguments, message) -> None:
    files = picture("a.png"), picture("b.png", (16, 16))
    done = command("compress", *files, *MODEL, *arguments)
    assert done.code == 2
    assert re.search(message, done.err)
    assert done.err.count("\n") == 1
    assert not list(tmp_path.glob("*.rnc"))


def test_a_folder_that_was_broken_off_goes_on(command, picture, tmp_path: Path) -> None:
    picture("in/a.png"), picture("in/b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.rnc").write_bytes(b"there")
    done = command("compress", tmp_path / "in", tmp_path / "out", *MODEL, "--skip-existing")
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "")
    assert (tmp_path / "out/a.rnc").read_bytes() == b"there"
    assert info((tmp_path / "out/b.rnc").read_bytes()).iterations == 3


def test_quiet_says_what_is_wrong_only(command, picture) -> None:
    source = picture()
    done = command("compress", source, *MODEL, "--bpp", "0.001", "-q")
    assert (done.code, done.out) == (0, "")
    assert "bpp=0.001 cannot be reached" in done.err


def test_small_pictures_have_no_ms_ssim(command, picture) -> None:
    source = picture()
    done = command("compress", source, *MODEL, "--ms-ssim", "0.9")
    assert done.code == 2
    assert done.err.startswith(f"rnncodec: {source}: ms_ssim=0.9: MS-SSIM needs sides")


def test_adaptive_files_are_said_to_be(command, photograph, tmp_path: Path) -> None:
    target = tmp_path / "a.rnc"
    done = command("compress", photograph, target, "-m", GOLDEN, "--adaptive", "mse=1e-3")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(" 3 iterations, adaptive\n")
    expected = load(GOLDEN).encode(Image.open(photograph), adaptive="mse=1e-3")
    assert target.read_bytes() == expected


def test_an_adaptive_file_within_a_rate(command, photograph, tmp_path: Path) -> None:
    target = tmp_path / "a.rnc"
    command("compress", photograph, target, "-m", GOLDEN, "--adaptive", "ssim", "--bpp", "0.25")
    assert info(target.read_bytes()).header.adaptive
    assert 0.22 < info(target.read_bytes()).bpp[-1] <= 0.25


ARITHMETIC = "rnncodec: the search computes in float32: RNNCODEC_PRECISION says so\n"


def test_effort_writes_other_bits_and_says_in_which_arithmetic(
    command, picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNCODEC_PRECISION", "float32")
    source, target = picture(), tmp_path / "a.rnc"
    done = command("compress", source, target, "-m", GOLDEN, "--effort", "2")
    assert (done.code, done.err) == (0, ARITHMETIC)
    expected = load(GOLDEN).encode(Image.open(source), effort=2)
    assert target.read_bytes() == expected != load(GOLDEN).encode(Image.open(source))


def test_effort_for_a_metric(
    command, picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNCODEC_PRECISION", "float32")
    source, target = picture(), tmp_path / "a.rnc"
    how = ("--effort", "2", "--for", "psnr_hvs")
    done = command("compress", source, target, "-m", GOLDEN, *how)
    assert (done.code, done.err) == (0, ARITHMETIC)
    expected = load(GOLDEN).encode(Image.open(source), effort=2, effort_for="psnr_hvs")
    assert target.read_bytes() == expected
    done = command("compress", source, *MODEL, "--effort", "2", "--for", "vmaf")
    assert done.code == 2
    assert "effort_for=vmaf: expected one of ms_ssim, psnr_hvs, psnr, balanced" in done.err


def test_an_effort_that_is_none(command, picture) -> None:
    done = command("compress", picture(), *MODEL, "--effort", "-1")
    assert done.code == 2
    assert "effort=-1: expected a whole number of steps, 1 to 1000" in done.err


def test_a_rule_that_is_none(command, picture) -> None:
    done = command("compress", picture(), *MODEL, "--adaptive", "psnr")
    assert done.code == 2
    assert "adaptive=psnr: expected one of ssim, mse" in done.err


def test_an_object_for_each_file(command, picture, tmp_path: Path) -> None:
    picture("in/a.png"), picture("in/b.png", (16, 16))
    done = command("compress", tmp_path / "in", "--out", tmp_path / "out", *MODEL, "--json")
    assert (done.code, done.err) == (0, "")
    first, second = map(json.loads, done.out.splitlines())
    data = (tmp_path / "out" / "a.rnc").read_bytes()
    assert first == {
        "input": str(tmp_path / "in" / "a.png"),
        "output": str(tmp_path / "out" / "a.rnc"),
        "input_bytes": (tmp_path / "in" / "a.png").stat().st_size,
        "bytes": len(data),
        "bpp": info(data).bpp[-1],
        "iterations": 3,
        "adaptive": False,
    }
    assert second["bpp"] == 8 * second["bytes"] / 256


def test_the_quality_reached_is_that_of_the_decoded_file(command, picture, tiny) -> None:
    source = picture()
    done = command("compress", source, *MODEL, "--psnr", "5", "--json")
    decoded = tiny.decode(source.with_suffix(".rnc").read_bytes())
    a, b = (np.asarray(image, float) for image in (Image.open(source), decoded))
    expected = 10 * np.log10(255**2 / np.mean((a - b) ** 2))
    assert json.loads(done.out)["psnr"] == pytest.approx(expected, abs=1e-9)
    assert expected >= 5


def test_to_standard_output_the_object_is_an_error_line(command, picture) -> None:
    done = command("compress", picture(), "-", *MODEL, "--json")
    assert done.out.startswith("\x89RNC")
    assert json.loads(done.err)["output"] is None


def test_a_file_of_so_many_bytes(command, picture, tiny) -> None:
    source = picture()
    ends = info(tiny.encode(Image.open(source))).ends[1:]
    for limit, iterations in ((ends[0], 1), (ends[1] - 1, 1), (ends[1], 2), (10**6, 3)):
        done = command("compress", source, *MODEL, "--max-bytes", limit, "--force", "--strict")
        assert (done.code, done.err) == (0, "")
        data = source.with_suffix(".rnc").read_bytes()
        assert len(data) <= limit
        assert info(data).ends[iterations] >= ends[iterations - 1]
        assert info(data).iterations == iterations + (limit == ends[1] - 1)
        assert info(data).header.adaptive == (limit == ends[1] - 1)


def test_fewer_bytes_than_any_file_has(command, picture, tiny) -> None:
    source = picture()
    least = info(tiny.encode(Image.open(source))).ends[1]
    done = command("compress", source, *MODEL, "--max-bytes", 50, "--strict")
    assert done.code == 2
    unreached = f"{source}: max_bytes=50 cannot be reached with this model and image"
    assert done.err == (
        f"rnncodec: {unreached}, whose best is {least} bytes; without --strict that is written\n"
    )
    assert not source.with_suffix(".rnc").exists()
    done = command("compress", source, *MODEL, "--max-bytes", 50)
    assert done.err == (
        f"rnncodec: warning: {unreached}; the best reachable, {least} bytes, is used\n"
    )
    assert source.with_suffix(".rnc").stat().st_size == least


def test_a_picture_beyond_the_limit_of_pixels(command, picture, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    source = picture()  # 1280 pixels
    done = command("compress", source, *MODEL)
    assert done.code == 2
    assert "exceeds limit of 1000 pixels" in done.err
    assert "raise that limit if you trust this file" in done.err
    assert command("compress", source, *MODEL, "--max-pixels", 1280).code == 0
    assert Image.MAX_IMAGE_PIXELS == 1000
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    done = command("compress", source, *MODEL, "--max-pixels", 1279, "--force")
    assert "exceeds limit of 1279 pixels" in done.err


def test_pictures_that_differ_in_their_extension(command, picture, tmp_path: Path) -> None:
    picture("in/a.png"), picture("in/a.jpg"), picture("in/deep/b.png")
    done = command("compress", tmp_path / "in", tmp_path / "out", *MODEL)
    assert done.code == 2
    assert "would both become" in done.err
    assert "--keep-extension" in done.err
    done = command("compress", tmp_path / "in", tmp_path / "out", *MODEL, "--keep-extension")
    assert (done.code, done.err) == (0, "")
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in tmp_path.rglob("*.rnc"))
    assert found == ["a.jpg.rnc", "a.png.rnc", "deep/b.png.rnc"]


def test_threads(command, picture, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    source = picture()
    assert command("compress", source, *MODEL, "--threads", 57).code == 0
    coded = source.with_suffix(".rnc")
    assert (
        command("decompress", coded, coded.with_name("b.png"), *MODEL, "--threads", 71).code == 0
    )
    assert [count for count in asked if count > 50] == [57, 71], "less is asked for elsewhere"
    assert command("compress", source, *MODEL, "--threads", 0).code == 2
