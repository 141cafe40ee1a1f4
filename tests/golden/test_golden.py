"""Files of earlier versions: the same codes for ever, and the same pictures to rounding."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnncodec.bitstream import UNSENT, Header, SegmentMode, info, parse, write
from rnncodec.codec import load
from rnncodec.coding.entropy_coding import coded_iterations

HERE = Path(__file__).parent
CODEC = load(HERE / "model.safetensors")
FINGERPRINT = "5da1014c22b2352f8c6ba29873935a2a"
RAW, CODED, MASKED = SegmentMode.RAW, SegmentMode.ENTROPY, SegmentMode.MASKED_ENTROPY
FILES = {
    "rgb": (90, 64, 3, 0, 0, 0, (CODED, CODED, CODED), 313),
    "grey": (118, 83, 3, 0, 1, 0, (CODED, CODED, CODED), 494),
    "tiled": (100, 70, 3, 48, 0, 0, (RAW, RAW, CODED), 465),
    "profile": (40, 48, 3, 0, 0, 588, (RAW, CODED, CODED), 751),
    "pixel": (1, 1, 3, 0, 0, 0, (RAW, RAW, RAW), 65),
    "raw": (40, 30, 3, 0, 0, 0, (RAW, CODED, CODED), 121),
    "adaptive": (90, 64, 3, 0, 0, 0, (CODED, MASKED, MASKED), 246),
}
names = pytest.mark.parametrize("name", FILES)


def stored(name: str) -> tuple[bytes, Header, np.ndarray]:
    """A file, its header, and the codes (3, h, w, 32) it must decode to."""
    data = (HERE / f"{name}.rnc").read_bytes()
    header = parse(data).header
    packed = np.frombuffer((HERE / f"{name}.codes").read_bytes(), np.uint8)
    shape = (3, *header.code_shape)
    codes, sends = np.split(np.unpackbits(packed), [np.prod(shape)])
    codes = codes.reshape(shape)
    if header.adaptive:
        over = sends[: codes[..., 0].size].reshape(shape[:3]) == 0
        codes[over] = UNSENT
    return data, header, codes


def test_the_model_has_its_name() -> None:
    assert CODEC.fingerprint.hex() == FINGERPRINT


@names
def test_header_and_segments(name: str) -> None:
    data, header, _ = stored(name)
    found = (
        *(header.width, header.height, header.iterations, header.tile, header.colour),
        *(len(header.icc_profile), info(data).modes, len(data)),
    )
    assert found == FILES[name]
    assert header.fingerprint.hex() == FINGERPRINT


@names
def test_bytes_give_the_codes(name: str) -> None:
    data, _, codes = stored(name)
    np.testing.assert_array_equal(CODEC.decode_codes(data), codes)


@names
def test_codes_give_the_bytes(name: str) -> None:
    data, header, codes = stored(name)
    assert CODEC.model.entropy is not None
    assert write(header, coded_iterations(CODEC.model.entropy, codes, header)) == data


@names
def test_pictures_to_one_level(name: str) -> None:
    data, header, _ = stored(name)
    image, expected = CODEC.decode(data), Image.open(HERE / f"{name}.png")
    assert (image.mode, image.size) == (expected.mode, expected.size)
    assert image.info.get("icc_profile", b"") == header.icc_profile
    assert np.abs(np.asarray(image, int) - np.asarray(expected, int)).max() <= 1


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in HERE.glob("*.*")) < 1_050_000
