"""`rnncodec decompress`: formats, models found by fingerprint, cut and damaged files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from rnncodec import truncate
from rnncodec.commands.decompress import OUTPUTS, picture_file, writable


@pytest.fixture
def file(tiny, picture, tmp_path: Path) -> Path:
    path = tmp_path / "photo.rnc"
    path.write_bytes(tiny.encode(Image.open(picture("original.png"))))
    return path


def test_the_model_is_found_by_fingerprint(command, file: Path, tiny) -> None:
    done = command("decompress", file)
    target = file.with_suffix(".png")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"{file} ({file.stat().st_size:,} bytes) -> {target} (40x32): "
        f"{8 * file.stat().st_size / (40 * 32):.3f} bpp, iteration 3 of 3\n"
    )
    np.testing.assert_array_equal(
        np.asarray(Image.open(target)), np.asarray(tiny.decode(file.read_bytes()))
    )


def test_fewer_iterations(command, file: Path, tiny) -> None:
    done = command("decompress", file, "--iterations", 1)
    assert done.out.endswith("iteration 1 of 3\n")
    expected = tiny.decode(file.read_bytes(), iterations=1)
    shown = Image.open(file.with_suffix(".png"))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(expected))


def test_at_most_so_many_iterations(command, file: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "short.rnc").write_bytes(truncate(file.read_bytes(), iterations=1))
    file.rename(tmp_path / "in" / "whole.rnc")
    done = command("decompress", tmp_path / "in", "-n", 2)
    assert (done.code, done.err) == (0, "")
    assert [line[-6:] for line in done.out.splitlines()] == ["1 of 3", "2 of 3"]
    done = command("decompress", tmp_path / "in", tmp_path / "out", "-n", 2, "--strict")
    assert done.code == 2
    assert done.err.endswith(
        "short.rnc: iterations=2: this file has 1; without --strict those are used\n"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole.png"]
    assert "iterations=0: expected 1 or more" in command("decompress", tmp_path, "-n", 0).err


def test_a_cut_file_is_refused_if_asked(command, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])
    done = command("decompress", file, "--strict")
    assert done.code == 2
    assert done.err.startswith(f"rnncodec: {file}: the file is cut: it has 2 whole iterations")
    assert not file.with_suffix(".png").exists()
    assert command("decompress", file, "--strict", "-n", 2).code == 0


def test_a_file_is_not_its_own_output(command, file: Path) -> None:
    done = command("decompress", file, file, "--force")
    assert done.code == 2
    assert done.err == (
        f"rnncodec: {file}: is an input and cannot be the output as well: outputs end as a "
        "picture does (.png, ...)\n"
    )


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".tif", "TIFF"), (".bmp", "BMP")])
def test_the_format_follows_the_name(command, file: Path, suffix: str, kind: str) -> None:
    target = file.with_name(f"shown{suffix}")
    assert command("decompress", file, target).code == 0
    with Image.open(target) as image:
        assert image.format == kind


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_colour_profile_is_kept(command, tmp_path, tiny, suffix: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (20, 20))
    image.info["icc_profile"] = profile
    (tmp_path / "a.rnc").write_bytes(tiny.encode(image))
    command("decompress", tmp_path / "a.rnc", tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.info["icc_profile"] == profile


def test_an_unknown_format_is_refused_before_any_work(command, file: Path) -> None:
    done = command("decompress", file, file.with_name("shown.xyz"))
    assert done.code == 2
    assert "Pillow writes no pictures named *.xyz; try *.png" in done.err
    done = command("decompress", file, "/dev/null")
    assert done.err.startswith("rnncodec: /dev/null: is neither a file nor a folder; nor is it an")


def test_a_format_that_cannot_hold_it(command, tmp_path, tiny) -> None:
    (tmp_path / "wide.rnc").write_bytes(tiny.encode(Image.new("RGB", (17000, 1))))
    done = command("decompress", tmp_path / "wide.rnc", tmp_path / "wide.webp")
    assert done.code == 2
    assert "WEBP cannot hold this picture" in done.err


def test_a_cut_file_decodes_with_a_warning(command, file: Path) -> None:
    cut = file.with_name("cut.rnc")
    cut.write_bytes(file.read_bytes()[:-1])
    done = command("decompress", cut)
    assert done.code == 0
    assert done.err == (
        f"rnncodec: warning: {cut}: the file is cut: 2 of its 3 iterations are used\n"
    )
    assert done.out.endswith(", iteration 2 of 3\n")


def test_what_has_arrived_is_used_if_asked(command, file: Path) -> None:
    cut = file.with_name("cut.rnc")
    cut.write_bytes(file.read_bytes()[:-1])
    done = command("decompress", cut, "--partial")
    assert done.code == 0
    assert "2 of its 3 iterations are used, and of the next one" in done.err
    command("decompress", cut, file.with_name("before.png"))
    with (
        Image.open(cut.with_suffix(".png")) as part,
        Image.open(file.with_name("before.png")) as whole,
    ):
        assert np.asarray(part).tolist() != np.asarray(whole).tolist()


def test_a_region(command, file: Path, tiny) -> None:
    done = command("decompress", file, "--region", "8,4,40,20")
    assert (done.code, done.err) == (0, "")
    assert "(32x16)" in done.out
    whole = tiny.decode(file.read_bytes()).crop((8, 4, 40, 20))
    np.testing.assert_array_equal(np.asarray(Image.open(file.with_suffix(".png"))), whole)
    done = command("decompress", file, "--region", "8,4,x", "--force")
    assert done.code == 2
    assert "--region 8,4,x: expected four numbers" in done.err
    done = command("decompress", file, "--region", "8,4,400,20", "--force")
    assert done.code == 2
    assert "expected left < right <= 40" in done.err


def test_folder_and_damaged_file(command, file: Path, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.rnc").write_bytes(data)
    file.rename(tmp_path / "in" / "good.rnc")
    done = command("decompress", tmp_path / "in", "-o", tmp_path / "out")
    assert done.code == 2
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.png"]
    assert done.err.startswith(f"rnncodec: {tmp_path / 'in' / 'bad.rnc'}: byte ")


def test_all_arguments_may_be_inputs(command, file: Path) -> None:
    other = file.with_name("other.rnc")
    other.write_bytes(file.read_bytes())
    assert command("decompress", file, other).code == 0
    assert file.with_suffix(".png").exists()
    assert other.with_suffix(".png").exists()


def test_what_exists_is_passed_over_if_asked(command, file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.rnc").write_bytes(file.read_bytes())
    file.with_suffix(".png").write_bytes(b"there")
    done = command("decompress", tmp_path, "--skip-existing", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert file.with_suffix(".png").read_bytes() == b"there"
    assert (tmp_path / "other.png").exists()


def test_standard_streams(command, file: Path, tiny) -> None:
    done = command("decompress", "-", "-", stdin=file.read_bytes())
    assert done.out.startswith("\x89PNG")
    assert done.err.startswith("standard input (")


def test_too_many_pixels(command, file: Path) -> None:
    done = command("decompress", file, "--max-pixels", 100)
    assert done.code == 2
    assert "40x32 pixels are more than max_pixels=100" in done.err


def test_no_model_has_the_fingerprint(command, file: Path, monkeypatch, tiny) -> None:
    monkeypatch.delenv("RNNCODEC_MODELS")
    done = command("decompress", file)
    assert done.code == 2
    assert done.err.startswith(
        f"rnncodec: {file}: no model with fingerprint {tiny.fingerprint.hex()}; looked in: "
    )


def test_a_named_model_must_fit(command, file: Path, tiny, tmp_path: Path) -> None:
    from rnncodec.codec import Codec
    from rnncodec.models.model_file import Model

    Codec(Model(tiny.model.network)).save(tmp_path / "other.safetensors")
    done = command("decompress", file, "--model", tmp_path / "other.safetensors")
    assert done.code == 2
    assert f"written with model {tiny.fingerprint.hex()}, this is model" in done.err


def test_an_empty_folder(command, tiny, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = command("decompress", tmp_path / "empty")
    assert done.err == f"rnncodec: no .rnc files under {tmp_path / 'empty'}\n"


def test_hidden_files_in_a_folder_are_passed_over(command, file: Path, tmp_path: Path) -> None:
    for name in ("._photo.rnc", "__MACOSX/photo.rnc", ".cache/photo.rnc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    done = command("decompress", tmp_path, "--out", tmp_path / "shown")
    assert (done.code, done.err) == (0, "")
    assert [path.name for path in (tmp_path / "shown").rglob("*")] == ["photo.png"]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = SRGB[:16] + b"GRAY" + SRGB[20:]
NOISE = Image.fromarray(np.random.default_rng(5).integers(60, 200, (17, 33, 3), np.uint8))


def written(suffix: str, mode: str = "RGB", profile: bytes = b"") -> tuple[Image.Image, list[str]]:
    image = NOISE.convert(mode)
    if profile:
        image.info["icc_profile"] = profile
    data, notes = picture_file(image, writable()[suffix])
    return Image.open(io.BytesIO(data)), notes


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("suffix", OUTPUTS)
def test_every_format_holds_the_picture(suffix: str, mode: str) -> None:
    if suffix not in writable():
        pytest.skip(f"nothing here writes *{suffix}")
    shown, notes = written(suffix, mode)
    assert (shown.size, notes) == (NOISE.size, [])
    away = np.asarray(shown.convert("RGB")).astype(int) - np.asarray(
        NOISE.convert(mode).convert("RGB")
    )
    assert np.abs(away).max() <= {".jpg": 20, ".jpeg": 20, ".avif": 4}.get(suffix, 0)
    if suffix == ".jpg" and mode == "RGB":
        assert [layer[1:3] for layer in shown.layer] == [(1, 1)] * 3  # 4:4:4


@pytest.mark.parametrize(
    "suffix", [".gif", ".ico", ".icns", ".mpo", ".pdf", ".eps", ".xbm", ".pbm"]
)
def test_formats_that_do_not_hold_a_picture_are_refused(command, file: Path, suffix: str) -> None:
    target = file.with_name(f"shown{suffix}")
    for there in (False, True):
        if there:
            target.write_bytes(b"there")
        done = command("decompress", file, target, "--force")
        assert done.code == 2
        assert (
            f"a file *{suffix} may not hold the picture as it is; try *.png, *.tif, *" in done.err
        )
    assert target.read_bytes() == b"there"


def test_a_codestream_of_jpeg_2000_is_one() -> None:
    assert picture_file(NOISE, OUTPUTS[".j2k"])[0][:4] == b"\xff\x4f\xff\x51"
    assert picture_file(NOISE, OUTPUTS[".jp2"])[0][4:8] == b"jP  "


@pytest.mark.parametrize("suffix", [".jp2", ".bmp", ".ppm", ".tga"])
def test_a_profile_that_a_format_cannot_keep_is_said(suffix: str) -> None:
    _, (note,) = written(suffix, profile=SRGB)
    assert note == f"the ICC profile is dropped: {OUTPUTS[suffix].kind} keeps none; *.png keeps it"


def test_a_grey_profile_is_never_in_a_file_of_colours() -> None:
    for suffix in (".png", ".tif", ".jpg", ".avif"):
        shown, notes = written(suffix, "L", GREY)
        assert (shown.info["icc_profile"], notes) == (GREY, [])
    shown, (note,) = written(".webp", "L", GREY)
    assert "icc_profile" not in shown.info
    assert note == "the ICC profile is dropped: it describes grey colours, not RGB; *.png keeps it"


def test_a_profile_of_colours_is_never_in_a_grey_file() -> None:
    shown, (note,) = written(".png", "L", SRGB)
    assert "icc_profile" not in shown.info
    assert note == "the ICC profile is dropped: it describes RGB colours, not grey"


def test_a_dropped_profile_is_a_warning(command, tmp_path, tiny) -> None:
    image = Image.new("RGB", (20, 20))
    image.info["icc_profile"] = SRGB
    (tmp_path / "a.rnc").write_bytes(tiny.encode(image))
    done = command("decompress", tmp_path / "a.rnc", tmp_path / "a.bmp")
    assert done.code == 0
    assert done.err == (
        f"rnncodec: warning: {tmp_path / 'a.rnc'}: "
        "the ICC profile is dropped: BMP keeps none; *.png keeps it\n"
    )


def test_a_quality_for_those_that_have_one(command, file: Path) -> None:
    sizes = []
    for quality in (20, 80):
        done = command("decompress", file, file.with_suffix(".jpg"), "--quality", quality, "-f")
        assert (done.code, done.err) == (0, "")
        sizes.append(file.with_suffix(".jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    done = command("decompress", file, "--quality", 80)
    assert done.code == 2
    assert done.err == "rnncodec: --quality 80: *.png has none; it is for *.jpg and *.avif\n"


def test_the_format_of_outputs_without_a_name(command, file: Path, tmp_path: Path) -> None:
    done = command("decompress", file, "-", "--format", "jpg", "--quality", 30)
    with Image.open(io.BytesIO(done.out.encode("latin-1"))) as image:
        assert (image.format, image.size) == ("JPEG", (40, 32))
    assert command("decompress", file, "--format", ".TIF").code == 0
    with Image.open(file.with_suffix(".tif")) as image:
        assert image.format == "TIFF"
    done = command("decompress", file, "-", "--format", "gif")
    assert done.code == 2
    assert done.err.startswith("rnncodec: --format gif: expected one of .png, .tif, ")
