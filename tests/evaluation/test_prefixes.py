"""Prefixes of progressive files show what they hold, and cost their own bytes."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from rnncodec.errors import DataError
from rnncodec.evaluation import prefixes
from rnncodec.evaluation.baselines import BASELINES
from rnncodec.evaluation.prefixes import (
    ANCHORS,
    END_OF_IMAGE,
    PREFIXES,
    Jpeg2000Prefixes,
    JxlPrefixes,
    chosen_baselines,
    layer_ends,
    next_marker,
    packet_lengths,
    read_picture,
    scan_ends,
)
from rnncodec.images.reading import read_image
from rnncodec.machine.external_tool import Tool

HERE = [codec for codec in PREFIXES.values() if codec.missing() is None]
NOWHERE = Tool("rnncodec-no-such-program", "a package")


@pytest.fixture
def photo(gallery: Callable[..., Path]) -> np.ndarray:
    return read_image(gallery(a=(120, 136)) / "a.png")


def error(picture: np.ndarray, photo: np.ndarray) -> float:
    return float(np.square(picture.astype(float) - photo).mean())


@pytest.mark.parametrize("codec", HERE, ids=lambda codec: codec.name)
def test_prefixes_of_one_file_grow_and_get_better(
    codec: prefixes.PrefixCodec, photo: np.ndarray
) -> None:
    coded = list(codec.code(photo))
    whole = coded[-1].data
    assert len(coded) >= 3
    assert all(whole.startswith(each.data) for each in coded)
    sizes = [len(each.data) for each in coded]
    assert sizes == sorted(sizes)
    assert [each.iteration for each in coded] == [None] * len(coded)
    assert [each.encode_s is not None for each in coded] == [False] * (len(coded) - 1) + [True]
    first, last = (error(each.picture, photo) for each in (coded[0], coded[-1]))
    assert last < first
    assert last < 60
    assert all(each.picture.shape == photo.shape for each in coded)


def test_the_whole_jpeg_is_the_progressive_baseline(photo: np.ndarray) -> None:
    coded = list(PREFIXES["jpeg-420-prefixes"].code(photo))
    baseline = BASELINES["jpeg-420-progressive"]
    assert coded[-1].data == baseline.encode(photo, prefixes.QUALITY)
    assert np.array_equal(coded[-1].picture, baseline.decode(coded[-1].data))
    assert len(coded) == coded[-1].data.count(b"\xff\xda")


def test_a_prefix_of_a_jpeg_counts_its_own_bytes_and_turns_no_switch(photo: np.ndarray) -> None:
    first = next(PREFIXES["jpeg-420-prefixes"].code(photo))
    assert not first.data.endswith(END_OF_IMAGE)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    means = [  # the first scan holds those of 8x8 blocks alone
        pixels.astype(float).mean(-1).reshape(15, 8, 17, 8).mean((1, 3)).ravel()
        for pixels in (first.picture, photo)
    ]
    assert np.corrcoef(*means)[0, 1] > 0.9


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\x00\x00\x00\x00", b"\xff\xd8\xff\xda\x00\x02\x00"]
)
def test_what_is_no_jpeg_has_no_scans(data: bytes) -> None:
    with pytest.raises(DataError, match="expected"):
        scan_ends(data)


def test_data_of_a_scan_may_hold_zeros_and_restarts() -> None:
    assert next_marker(bytes.fromhex("ff00ffd0ffd7aaffc4"), 0) == 7
    with pytest.raises(DataError, match="end of a scan"):
        next_marker(b"\x00\x01\xff", 0)


def test_the_layers_of_a_jpeg_2000_end_where_its_packets_do(photo: np.ndarray) -> None:
    codec = PREFIXES["jpeg2000-prefixes"]
    data, cuts = codec.write(photo)
    rates = BASELINES["jpeg2000"].settings
    assert [label for label, _ in cuts] == [f"bpp={rate:g}" for rate in rates]
    ends = [end for _, end in cuts]
    assert ends == sorted(ends)
    assert ends[-1] == len(data)
    assert b"\xff\x58" not in data[: ends[0]]  # the lengths of packets are in no prefix
    with Image.open(io.BytesIO(data)) as image:
        assert error(np.asarray(image.convert("RGB")), photo) < 60
    for rate, end in list(zip(rates, ends, strict=True))[3:]:
        assert 8 * end / (120 * 136) < 1.1 * rate


def test_packets_that_do_not_fill_the_stream_are_refused() -> None:
    data = bytes.fromhex("ff4fff580005008105ff93") + bytes(133) + b"\xff\xd9"
    assert packet_lengths(data) == [133]
    assert layer_ends(data, [100, 33], 2) == [111, 144]
    with pytest.raises(DataError, match="expected 2 layers to fill the codestream"):
        layer_ends(data, [133], 2)
    with pytest.raises(DataError, match="expected a marker of JPEG 2000"):
        packet_lengths(b"\xff\x4f\xff\x58\x00")


def test_what_no_program_decodes_is_left_out_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = {
        "jpeg2000-prefixes": Jpeg2000Prefixes("jpeg2000-prefixes", NOWHERE, ".j2k"),
        "jxl-prefixes": JxlPrefixes("jxl-prefixes", NOWHERE, ".jxl", NOWHERE),
    }
    for name, codec in lost.items():
        monkeypatch.setitem(ANCHORS, name, codec)
    chosen, left_out = chosen_baselines("all")
    assert "jpeg-420-prefixes" in [codec.name for codec in chosen]
    assert [reason for reason in left_out if "prefixes" in reason] == [
        f"{name}: rnncodec-no-such-program is not on PATH; install a package" for name in lost
    ]


def test_a_decoder_that_shows_nothing_of_a_whole_file_is_an_error(photo: np.ndarray) -> None:
    class Blind(Jpeg2000Prefixes):
        def read(self, prefix: bytes, shape: tuple[int, ...]) -> None:
            return None

    with pytest.raises(DataError, match="blind: its decoder shows nothing of a whole file"):
        list(Blind("blind", NOWHERE, ".j2k").code(photo))


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    Image.new("RGB", (4, 5)).save(path)
    assert read_picture(path, (5, 4, 3), "x").shape == (5, 4, 3)
    with pytest.raises(DataError, match="x: expected 5x4 pixels, got 4x5"):
        read_picture(path, (4, 5, 3), "x")
    path.write_bytes(bytes(5000))
    with pytest.raises(DataError, match="a larger picture than 5x4"):
        read_picture(path, (4, 5, 3), "x")


def test_the_identity_tells_files_and_programs_apart() -> None:
    identities = [codec.identity() for codec in HERE]
    assert len({str(identity) for identity in identities}) == len(HERE)
    assert all(all(identity["libraries"].values()) for identity in identities)
