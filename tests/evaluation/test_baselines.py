"""Every format writes files that hold what was asked for."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation import baselines
from rnncodec.evaluation.baselines import BASELINES, Baseline, encode_to_size
from rnncodec.evaluation.prefixes import ANCHORS, chosen_baselines
from rnncodec.images.reading import read_image

HERE = [baseline for baseline in BASELINES.values() if baseline.missing() is None]
"""JPEG XL is there only with its plugin."""


@pytest.fixture
def photo(gallery: Callable[..., Path]) -> np.ndarray:
    return read_image(gallery(a=(64, 80)) / "a.png")


@pytest.mark.parametrize("baseline", HERE, ids=lambda baseline: baseline.name)
def test_size_and_quality_rise_along_the_settings(
    baseline: baselines.Baseline, photo: np.ndarray
) -> None:
    low, middle, high = (baseline.settings[k] for k in (0, 6, -1))
    coded = [baseline.encode(photo, setting) for setting in (low, middle, high)]
    assert len(coded[0]) < len(coded[1]) < len(coded[2])
    errors = []
    for data in coded:
        picture = baseline.decode(data)
        assert (picture.shape, picture.dtype) == (photo.shape, np.uint8)
        errors.append(np.mean((picture.astype(float) - photo) ** 2))
    assert errors[0] > errors[1] > errors[2]
    assert list(baseline.ladder) == sorted(baseline.ladder)
    if not isinstance(baseline, baselines.RateBaseline):
        assert set(baseline.settings) <= set(baseline.ladder)


def test_the_ways_to_write_jpeg_share_their_pictures_and_differ_in_size(
    photo: np.ndarray,
) -> None:
    names = ("jpeg-420", "jpeg-420-optimized", "jpeg-420-progressive")
    files = [BASELINES[name].encode(photo, 50) for name in names]
    plain, optimized, progressive = (Image.open(io.BytesIO(data)) for data in files)
    assert len(files[1]) < len(files[0])
    assert "progression" in progressive.info
    assert not {"progression", "progressive"} & (plain.info.keys() | optimized.info.keys())
    pictures = [BASELINES[name].decode(data) for name, data in zip(names, files, strict=True)]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])


def test_jpeg_420_has_the_default_huffman_tables(photo: np.ndarray) -> None:
    # Table K.3 of the JPEG standard: how many luminance DC codes there are of each length.
    standard = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    assert standard in BASELINES["jpeg-420"].encode(photo, 50)
    assert standard not in BASELINES["jpeg-420-optimized"].encode(photo, 50)


@pytest.mark.parametrize(
    ("name", "layers"),
    [("jpeg-420", (2, 2)), ("jpeg-444", (1, 1)), ("jpeg-444-optimized", (1, 1))],
)
def test_the_subsampling_is_the_names(
    name: str, layers: tuple[int, int], photo: np.ndarray
) -> None:
    with Image.open(io.BytesIO(BASELINES[name].encode(photo, 50))) as image:
        assert image.layer[0][1:3] == layers  # type: ignore[attr-defined]


def test_jpeg_2000_keeps_to_the_rate() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    data = BASELINES["jpeg2000"].encode(noise, 2)
    assert 8 * len(data) / 128**2 == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("baseline", HERE, ids=lambda baseline: baseline.name)
def test_encode_to_size_finds_the_best_that_fits(
    baseline: baselines.Baseline, photo: np.ndarray
) -> None:
    small, large = (len(baseline.encode(photo, s)) for s in baseline.settings[::6][:2])
    limit = (small + large) // 2
    setting, data = encode_to_size(baseline, photo, limit)
    assert len(data) <= limit
    assert data == baseline.encode(photo, setting)
    higher = baseline.ladder[baseline.ladder.index(setting) + 1]
    assert len(baseline.encode(photo, higher)) > limit


class Uneven(Baseline):
    """Settings whose sizes and errors neither rise nor fall."""

    SIZES = (100, 150, 400, 450, 200, 210, 90)
    ERRORS = (9, 8, 6, 5, 3, 4, 11)

    def encode(self, image: np.ndarray, setting: float, **more: Any) -> bytes:
        return bytes([int(setting)]) * self.SIZES[int(setting)]

    def decode(self, data: bytes) -> np.ndarray:
        return np.full((4, 4, 3), self.ERRORS[data[0]], np.uint8)


@pytest.mark.parametrize(
    ("limit", "setting"), [(90, 6), (120, 0), (199, 1), (200, 4), (220, 4), (500, 4)]
)
def test_the_best_file_of_a_size_is_found_where_sizes_and_errors_go_up_and_down(
    limit: int, setting: int
) -> None:
    uneven = Uneven("uneven", "PNG", (0.0,), tuple(float(k) for k in range(7)))
    found, data = encode_to_size(uneven, np.zeros((4, 4, 3), np.uint8), limit)
    assert (found, len(data)) == (setting, Uneven.SIZES[setting])


def test_the_smallest_file_need_not_be_that_of_the_first_setting() -> None:
    uneven = Uneven("uneven", "PNG", (0.0,), tuple(float(k) for k in range(7)))
    with pytest.raises(DataError, match="its smallest file of this image, q=6, takes 90 bytes"):
        encode_to_size(uneven, np.zeros((4, 4, 3), np.uint8), 89)


def test_jpeg_xl_is_not_measured_where_a_higher_quality_beats_it() -> None:
    # from 14 to 18 most photographs have larger files than at 19, and worse ones
    assert not {14.0, 15.0, 16.0, 17.0, 18.0} & set(BASELINES["jxl"].settings)
    assert 19.0 in BASELINES["jxl"].settings


def test_a_size_below_the_smallest_file_is_an_error(photo: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"jpeg-420: its smallest file .*, q=1, takes \d+ bytes"):
        encode_to_size(BASELINES["jpeg-420"], photo, 100)


def test_the_best_setting_is_the_answer_where_all_fit(photo: np.ndarray) -> None:
    setting, _ = encode_to_size(BASELINES["jpeg-420"], photo, 10**9)
    assert setting == 100


def test_an_image_that_a_format_cannot_hold_is_named() -> None:
    wide = np.zeros((1, 17_000, 3), np.uint8)
    with pytest.raises(DataError, match="webp cannot write this image of 17000x1 at q=40"):
        BASELINES["webp"].encode(wide, 40)


def test_baselines_are_chosen_by_name() -> None:
    assert [b.name for b in chosen_baselines("webp,jpeg-420")[0]] == ["webp", "jpeg-420"]
    assert chosen_baselines("none") == ([], [])
    here = [anchor.name for anchor in ANCHORS.values() if anchor.missing() is None]
    assert [b.name for b in chosen_baselines("all")[0]] == here
    assert here[: len(HERE)] == [b.name for b in HERE]
    with pytest.raises(ConfigError, match=r"no 'gif'; choose among jpeg-420, .*, or all, or none"):
        chosen_baselines("gif,webp")


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines.importlib.util, "find_spec", lambda _: None)
    chosen, left_out = chosen_baselines("all")
    assert "jxl" not in [baseline.name for baseline in chosen]
    assert [reason for reason in left_out if "prefixes" not in reason] == [
        "jxl: pillow-jxl-plugin is not installed; run: pip install 'rnncodec[jxl]'"
    ]
    with pytest.raises(ConfigError, match=r"jxl: pillow-jxl-plugin is not installed"):
        chosen_baselines("jxl")


def test_the_identity_names_the_libraries() -> None:
    identity = BASELINES["avif"].identity()
    assert set(identity["libraries"]) == {"pillow", "avif"}
    assert all(identity["libraries"].values())


def test_settings_are_named_by_what_they_ask() -> None:
    assert BASELINES["webp"].label(40) == "q=40"
    assert BASELINES["jpeg2000"].label(0.125) == "bpp=0.125"


@pytest.mark.parametrize("baseline", HERE, ids=lambda baseline: baseline.name)
def test_a_photograph_that_was_a_jpeg_is_coded_anew(
    baseline: Baseline, photo: np.ndarray, tmp_path: Path
) -> None:
    # The plugin for JPEG XL transcodes an opened JPEG file, whatever quality it is asked for.
    source = tmp_path / "photo.jpg"
    Image.fromarray(photo).save(source, quality=95)
    opened = read_image(source)
    assert isinstance(opened, np.ndarray)
    painted = opened.copy()
    painted[:32, :32] = (255, 0, 0)
    coded = baseline.decode(baseline.encode(painted, baseline.settings[6]))
    red, green, _ = coded[8:24, 8:24].reshape(-1, 3).mean(axis=0)
    assert red - green > 150
    assert baseline.encode(opened, baseline.settings[0]) == baseline.encode(
        opened.copy(), baseline.settings[0]
    )
    assert len(baseline.encode(opened, baseline.settings[0])) < source.stat().st_size / 2
