"""What users call: round trips, targets, prefixes, tiles, batches, wrong models."""

import io
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import rnncodec
from rnncodec.bitstream import info
from rnncodec.codec import Codec
from rnncodec.entropy import quantize
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.entropy.progressive import Progressive
from rnncodec.errors import BitstreamError, ConfigError, DataError, ModelError, RNNCodecWarning
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive
from rnncodec.network.recon.scaled_additive import ScaledAdditive

T = 3


def make(entropy=Progressive, recon=Additive, *, seed: int = 0, iterations: int = T) -> Codec:
    torch.manual_seed(seed)
    network = Network(GRU, recon, width=0.125, iterations=iterations)
    model = None if entropy is None else quantize(entropy(iterations, 8))
    return Codec(Model(network, model))


def picture(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / rng.uniform(3, 30) + y / rng.uniform(3, 30)) for _ in "rgb"]
    return (
        (128 + 100 * np.stack(waves, -1) + rng.normal(0, 8, (height, width, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )


CODECS = {
    "raw": make(None),
    "binary_rnn": make(BinaryRNN),
    "progressive": make(Progressive, ScaledAdditive),
}


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)).filter(lambda s: s[0] * s[1] < 4e4),
    iterations=st.integers(1, T),
)
def test_round_trip(name: str, size: tuple[int, int], iterations: int) -> None:
    codec, pixels = CODECS[name], picture(*size)
    data = codec.encode(pixels, iterations=iterations)
    codes = codec.encode_codes(pixels, iterations=iterations)
    h, w = -(-size[0] // 16), -(-size[1] // 16)
    assert codes.shape == (iterations, h, w, 32)
    np.testing.assert_array_equal(codec.decode_codes(data), codes)
    image = codec.decode(data)
    assert image.size == size[::-1]
    assert len(data) <= 38 + iterations * (8 + h * w * 4)


@pytest.mark.parametrize("name", CODECS)
def test_every_way_to_decode_gives_the_same_pictures(name: str) -> None:
    codec, pixels = CODECS[name], picture(70, 50)
    data = codec.encode(pixels)
    stages = [np.asarray(image) for image in codec.decode_progressive(data)]
    assert len(stages) == T
    dripping = (data[k : k + 1] for k in range(len(data)))
    for a, b in zip(stages, codec.decode_progressive(dripping), strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))
    for a, b in zip(stages, codec.decode_progressive(io.BytesIO(data)), strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))
    for k, stage in enumerate(stages, start=1):
        np.testing.assert_array_equal(np.asarray(codec.decode(data, iterations=k)), stage)
        cut = rnncodec.truncate(data, iterations=k)
        np.testing.assert_array_equal(np.asarray(codec.decode(cut)), stage)


def test_every_truncation_gives_the_last_whole_iteration_or_one_error() -> None:
    codec = CODECS["progressive"]
    data = codec.encode(picture(33, 20))
    stages = [np.asarray(image) for image in codec.decode_progressive(data)]
    ends = np.cumsum([len(data) - sum(info(data).segment_bytes), *info(data).segment_bytes])
    for length in range(len(data) + 1):
        whole = int((ends <= length).sum()) - 1
        if whole < 1:
            with pytest.raises(BitstreamError):
                codec.decode(data[:length])
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            image = codec.decode(data[:length])
        np.testing.assert_array_equal(np.asarray(image), stages[whole - 1])
        assert bool(caught) == (length not in ends), length


def test_files_are_decoded_from_wherever_they_are(tmp_path: Path) -> None:
    codec = CODECS["progressive"]
    data = codec.encode(picture(33, 20))
    (tmp_path / "photo.rnc").write_bytes(data)
    expected, codes = np.asarray(codec.decode(data)), codec.decode_codes(data)
    for source in (tmp_path / "photo.rnc", str(tmp_path / "photo.rnc"), [data[:9], data[9:]]):
        np.testing.assert_array_equal(np.asarray(codec.decode(source)), expected)
        np.testing.assert_array_equal(codec.decode_codes(source), codes)
        assert len(list(codec.decode_progressive(source))) == T
    np.testing.assert_array_equal(np.asarray(codec.decode(io.BytesIO(data))), expected)
    with pytest.raises(DataError, match=r"missing\.rnc: cannot be read"):
        codec.decode("missing.rnc")


def test_an_empty_chunk_is_not_the_end() -> None:
    codec = CODECS["progressive"]
    data = codec.encode(picture(33, 20))
    first = len(data) - sum(info(data).segment_bytes[1:])
    chunks = [data[:first], b"", data[first:]]
    assert len(list(codec.decode_progressive(chunks))) == T


def test_a_stream_that_is_cut_ends_with_the_warning_of_decode() -> None:
    codec = CODECS["progressive"]
    data = codec.encode(picture(33, 20))
    stages = codec.decode_progressive(io.BytesIO(data[:-1]))
    assert [next(stages).size for _ in range(T - 1)] == [(20, 33)] * (T - 1)
    with pytest.warns(RNNCodecWarning, match="the file is cut: 2 of its 3 iterations") as caught:
        assert next(stages, None) is None
    assert caught[0].filename == __file__
    whole = rnncodec.truncate(data, iterations=T - 1)
    assert len(list(codec.decode_progressive([whole, b""]))) == T - 1


def test_rate_target_fills_the_budget_and_stays_within() -> None:
    codec = make(Progressive, iterations=8)
    pixels = picture(96, 112)
    full = info(codec.encode(pixels))
    for bpp in (full.bpp[0], full.bpp[2] + 1e-9, full.bpp[4] - 1e-9, 100.0):
        data = codec.encode(pixels, bpp=bpp)
        assert 8 * len(data) / (96 * 112) <= bpp
        whole = sum(rate <= bpp for rate in full.bpp)
        assert whole <= info(data).iterations <= whole + 1
        assert info(data).header.iterations == info(data).iterations
        assert info(data).header.adaptive == (info(data).iterations == whole + 1)
        if bpp < full.bpp[-1]:
            assert 8 * len(data) / (96 * 112) >= 0.97 * bpp


def test_no_part_of_the_network_runs_for_nothing() -> None:
    codec, pixels = make(Progressive, iterations=8), picture(96, 112)
    rates = info(codec.encode(pixels)).bpp
    runs = {"encoder": 0, "decoder": 0}

    def count(name: str) -> None:
        runs[name] += 1

    for name in runs:
        part = getattr(codec.model.network, name)
        part.register_forward_hook(lambda *_, name=name: count(name))

    def counted(**target: float) -> tuple[int, int]:
        runs.update(encoder=0, decoder=0)
        data = codec.encode(pixels, **target)  # type: ignore[arg-type]
        found = runs["encoder"], runs["decoder"]
        codec.decode(data)
        assert runs["encoder"] == found[0], "decoding runs no encoder"
        assert runs["decoder"] == found[1] + info(data).iterations
        return found

    assert counted(iterations=1) == (1, 0)
    assert counted() == (8, 7), "nobody looks at the last picture"
    for k in (1, 4, 6):  # one more must be coded to know that it does not fit
        assert counted(bpp=rates[k - 1]) == (k + 1, k)
    assert counted(bpp=100.0) == (8, 7)
    shown = counted(psnr=max(quality(codec, pixels)[:1]))
    assert shown == (1, 1), "a quality has to be looked at"


def test_rate_target_below_one_iteration_is_said() -> None:
    with pytest.warns(RNNCodecWarning, match=r"bpp=0\.001 cannot be reached"):
        data = CODECS["raw"].encode(picture(32, 32), bpp=0.001)
    assert info(data).iterations == 1


def quality(codec: Codec, pixels: np.ndarray) -> list[float]:
    """PSNR after each iteration, by hand."""
    stages = codec.decode_progressive(codec.encode(pixels))
    errors = [((np.asarray(s, float) - pixels) ** 2).mean() for s in stages]
    return [10 * np.log10(255**2 / e) for e in errors]


@pytest.mark.parametrize("tile", [0, 32])
def test_quality_target_stops_at_the_first_iteration_that_reaches_it(tile: int) -> None:
    codec, pixels = make(None, iterations=5), picture(64, 80)
    data = codec.encode(pixels, tile=tile)
    stages = list(codec.decode_progressive(data))
    scores = [
        10 * np.log10(255**2 / ((np.asarray(s, float) - pixels) ** 2).mean()) for s in stages
    ]
    for target in (min(scores) - 0.01, np.median(scores), max(scores)):
        expected = next(k for k, s in enumerate(scores, start=1) if s >= target - 1e-9)
        found = codec.encode(pixels, psnr=target - 1e-9, tile=tile)
        assert info(found).iterations == expected
    with pytest.warns(RNNCodecWarning, match="psnr=90 cannot be reached"):
        found = codec.encode(pixels, psnr=90, tile=tile)
    assert info(found).iterations == int(np.argmax(scores)) + 1


def test_ms_ssim_target_needs_a_large_image() -> None:
    codec = CODECS["raw"]
    with pytest.raises(DataError, match="MS-SSIM needs sides of at least 176"):
        codec.encode(picture(64, 64), ms_ssim=0.9)
    assert info(codec.encode(picture(176, 200), ms_ssim=1e-6)).iterations == 1


def test_images_of_one_size_are_coded_together() -> None:
    codec = CODECS["progressive"]
    images = [picture(40, 48, seed=k) for k in range(3)]
    for image, data in zip(images, codec.encode_all(images), strict=True):
        alone = codec.encode_codes(image)
        # Another batch size may round the float network otherwise, which can flip single bits.
        assert (codec.decode_codes(data) != alone).mean() < 0.01


def test_tiles_are_coded_by_themselves_and_prefixes_still_decode() -> None:
    codec, pixels = CODECS["progressive"], picture(70, 90)
    data = codec.encode(pixels, tile=32)
    assert info(data).header.tile == 32
    corner = codec.encode(pixels[:32, :32])
    np.testing.assert_array_equal(codec.decode_codes(data)[:, :2, :2], codec.decode_codes(corner))
    stages = [np.asarray(image) for image in codec.decode_progressive(data)]
    first = np.asarray(codec.decode(corner))
    assert np.abs(stages[-1][:32, :32].astype(int) - first).max() <= 1
    np.testing.assert_array_equal(np.asarray(codec.decode(data, iterations=2)), stages[1])


def test_wrong_model_names_both_fingerprints() -> None:
    ours, other = CODECS["raw"], make(None, seed=1)
    data = other.encode(picture(16, 16))
    both = f"{other.fingerprint.hex()}.*{ours.fingerprint.hex()}"
    with pytest.raises(ModelError, match=both):
        ours.decode(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "iterations=0: this model was trained for 1..3"),
        ({"iterations": 4}, "iterations=4"),
        ({"bpp": -1.0}, "bpp=-1.0: expected a positive number"),
        ({"psnr": 0.0}, "psnr=0.0: expected dB"),
        ({"ms_ssim": 1.5}, "ms_ssim=1.5: expected over 0 and at most 1"),
        ({"tile": 20}, "tile=20: expected a multiple of 16"),
        ({"bpp": 1.0, "psnr": 30.0}, "at most one of"),
        ({"ms_ssim": 0.9, "psnr": 30.0}, "at most one of"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CODECS["raw"].encode(picture(16, 16), **arguments)


@pytest.mark.parametrize(
    "arguments", [{"iterations": 2.5}, {"tile": 16.0}, {"bpp": "x"}], ids=lambda a: next(iter(a))
)
def test_arguments_of_another_type(arguments: dict) -> None:
    name, value = next(iter(arguments.items()))
    with pytest.raises(ConfigError, match=f"{name}={value}: "):
        CODECS["raw"].encode(picture(16, 16), **arguments)


FOREIGN = (True, "1", b"1", [1], 1j, math.nan, np.array([1.0]))


@pytest.mark.parametrize("value", FOREIGN, ids=repr)
@pytest.mark.parametrize(
    "name", ["iterations", "bpp", "psnr", "ms_ssim", "tile", "adaptive", "effort", "progress"]
)
def test_every_argument_of_encoding_refuses_what_it_cannot_take(name: str, value: object) -> None:
    effort = {"effort": 1} if name == "progress" else {}
    with pytest.raises(ConfigError, match=f"^{name}="):
        CODECS["raw"].encode(picture(16, 16), **{name: value, **effort})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", FOREIGN, ids=repr)
def test_every_argument_of_decoding_refuses_what_it_cannot_take(value: object) -> None:
    codec, data = CODECS["raw"], CODECS["raw"].encode(picture(16, 16))
    calls: list[tuple[str, Callable[[], object]]] = [
        ("iterations", lambda: codec.decode(data, iterations=value)),
        ("max_pixels", lambda: codec.decode(data, max_pixels=value)),
        ("max_pixels", lambda: codec.decode_codes(data, max_pixels=value)),
        ("max_pixels", lambda: next(codec.decode_progressive(data, max_pixels=value))),
        ("iterations", lambda: codec.encode_codes(picture(16, 16), iterations=value)),
        ("iterations", lambda: rnncodec.truncate(data, iterations=value)),
        ("max_bytes", lambda: rnncodec.truncate(data, max_bytes=value)),
    ]
    for name, call in calls:
        with pytest.raises(ConfigError, match=f"^{name}="):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c.decode(None), DataError, "^NoneType: expected the bytes of a .rnc file, its"),
        (lambda c: c.decode_codes(3), DataError, "^int: expected the bytes of a .rnc file, its"),
        (lambda c: next(c.decode_progressive([3])), DataError, "^int: expected chunks of bytes"),
        (lambda c: c.encode("a.png"), DataError, "a.png"),
        (lambda c: c.encode_all("a.png"), DataError, "^str: expected several images"),
        (lambda c: c.encode(7), DataError, "^int: expected a Pillow image"),
        (lambda c: c.encode_all(Image.new("L", (9, 9))), DataError, "^Image: expected several"),
        (lambda _: rnncodec.truncate("a.rnc", iterations=1), DataError, "^str: .*read_bytes"),
        (lambda c: c.save(3), ConfigError, "^int: expected the path of a file to write"),
        (lambda c: c.save("m", dtype=torch.int8), ConfigError, "^dtype=torch.int8: expected one"),
        (lambda _: Codec("compact"), ModelError, "^str: expected a Model; rnncodec.load reads"),
        (lambda c: Codec(c.model, device="warp"), ConfigError, "^device=warp: cannot be used"),
        (lambda c: Codec(c.model, device=None), ConfigError, "^device=None: cannot be used"),
        (lambda _: rnncodec.load(None), ModelError, "^NoneType: expected the name of a model"),
    ],
)
def test_what_is_no_file_image_or_model(
    call: Callable[[Codec], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(CODECS["raw"])


def test_iterations_to_decode_are_whole_and_may_be_numpys() -> None:
    data = CODECS["raw"].encode(picture(16, 16), iterations=np.int64(2))
    with pytest.raises(ConfigError, match=r"iterations=1\.5: this file has 1\.\.2; give a whole"):
        CODECS["raw"].decode(data, iterations=1.5)


@pytest.mark.parametrize(("sizes", "words"), [([], "0 images of 0"), ([16, 32], "2 images of 2")])
def test_images_together_have_one_size(sizes: list[int], words: str) -> None:
    with pytest.raises(DataError, match=f"{words} sizes: expected one or more of one size"):
        CODECS["raw"].encode_all([picture(16, side) for side in sizes])


def test_too_many_tiles_are_refused_before_any_work() -> None:
    with pytest.raises(ConfigError, match="tile=16 cuts 2000x1000 pixels into 7875 tiles"):
        CODECS["raw"].encode(np.zeros((1000, 2000, 3), np.uint8), tile=16)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (4,), (4, 4, 2)])
def test_arrays_without_pixels_or_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected uint8"):
        CODECS["raw"].encode(np.zeros(shape, np.uint8))


def test_max_pixels_is_checked_before_anything_else() -> None:
    codec = CODECS["raw"]
    data = codec.encode(picture(32, 32))
    with pytest.raises(BitstreamError, match="32x32 pixels are more than max_pixels=1023"):
        codec.decode(data, max_pixels=1023)


def test_grey_stays_grey_and_profiles_are_kept() -> None:
    codec = CODECS["raw"]
    grey = Image.fromarray(picture(20, 20)[..., 0])
    assert codec.decode(codec.encode(grey)).mode == "L"
    colour = Image.fromarray(picture(20, 20))
    colour.info["icc_profile"] = b"a profile"
    assert codec.decode(codec.encode(colour)).info["icc_profile"] == b"a profile"


def test_what_cannot_be_kept_is_said() -> None:
    with pytest.warns(RNNCodecWarning, match="transparency is not kept: composited over white"):
        CODECS["raw"].encode(Image.new("RGBA", (16, 16)))


def test_a_primed_codec_reads_what_it_writes_and_a_plain_one_refuses_it() -> None:
    plain = make()
    torch.manual_seed(0)
    network = Network(GRU, Additive, width=0.125, iterations=T, priming=1, diffusion=1)
    primed = Codec(Model(network, plain.model.entropy))
    image = picture(40, 56)
    data = primed.encode(image)
    np.testing.assert_array_equal(primed.decode_codes(data), primed.encode_codes(image))
    pictures = [pixels for _, pixels in primed.reconstructions(image)]
    np.testing.assert_array_equal(np.asarray(primed.decode(data)), pictures[-1])
    with pytest.raises(ModelError, match="was written with model"):
        plain.decode(data)


def test_a_network_that_overflows_codes_no_picture() -> None:
    codec = make(None)
    data = codec.encode(picture(32, 48))
    for weights in codec.model.network.decoder.parameters():
        weights.data.fill_(3e38)
    with pytest.raises(ModelError, match="output is not finite"):
        codec.decode(data)
    with pytest.raises(ModelError, match="output is not finite"):
        codec.encode(picture(32, 48))


def test_files_decoded_together_are_the_pictures_of_each() -> None:
    codec = make(Progressive, iterations=3)
    pictures = [picture(40, 56), picture(32, 32), picture(40, 56)[::-1].copy(), picture(80, 80)]
    files = [codec.encode(image) for image in pictures]
    files[2] = codec.encode(pictures[2], bpp=info(files[2]).bpp[1] + 0.05)
    files.append(codec.encode(pictures[3], tile=48))
    files.append(codec.encode(Image.fromarray(pictures[1][..., 0])))
    assert info(files[2]).header.adaptive
    together = codec.decode_all(files)
    assert [image.mode for image in together] == ["RGB"] * 5 + ["L"]
    for image, file in zip(together, files, strict=True):
        alone = np.asarray(codec.decode(file), int)
        assert np.abs(np.asarray(image, int) - alone).max() <= 1
    first = codec.decode_all(iter(files), iterations=1)
    assert np.abs(np.asarray(first[0], int) - codec.decode(files[0], iterations=1)).max() <= 1
    assert codec.decode_all([]) == []


def test_files_together_are_refused_before_any_is_drawn() -> None:
    codec = CODECS["raw"]
    data = codec.encode(picture(32, 32))
    with pytest.raises(BitstreamError):
        codec.decode_all([data, data[:10]])
