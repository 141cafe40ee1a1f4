"""Made the conformance set, once: `python tests/conformance/make_set.py`, a minute.

As with `make.py`: kept to show where the files come from, not to be run again on this folder. The
models are random and mostly zeros, so that they are small; codes are drawn from the probabilities
of the entropy models, so that coding them pays.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

from rnncodec.bitstream import UNSENT, ColourMode, Header, write
from rnncodec.codec import Codec
from rnncodec.coding.entropy_coding import coded_iterations
from rnncodec.entropy import EntropyModel, IntegerModel, Wavefront, quantize
from rnncodec.entropy.binary_rnn import BinaryRNN
from rnncodec.entropy.progressive import Progressive
from rnncodec.models import model_file
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network

HERE = Path(__file__).parents[1] / "golden"
SET = HERE / "set"
DENSITY = 0.045
"""Share of the decoder's weights that are not zero."""
SPREAD = {"lstm": 2.0, "assoc_lstm": 3.0}
"""Of the weights, by cell: their products of gates make outputs small."""

NETWORKS: dict[str, dict[str, Any]] = {
    "gru_resnet": {
        "cell": {"name": "gru_resnet", "alpha": 0.25, "update_bias": 2.0},
        "recon": {"name": "one_shot"},
        "iterations": 4,
    },
    "lstm": {"cell": {"name": "lstm"}, "recon": {"name": "additive"}, "iterations": 3},
    "assoc_lstm": {
        "cell": {"name": "assoc_lstm"},
        "recon": {"name": "scaled_additive", "channels": 8},
        "iterations": 3,
    },
    "gru": {
        "cell": {"name": "gru"},
        "recon": {"name": "boosted_additive", "gain": 2.0, "power": 0.5},
        "iterations": 3,
        "priming": 2,
        "diffusion": 1,
        "hidden_kernels": [3, 1, 1, 1],
    },
    "none": {
        "cell": {"name": "gru_resnet", "alpha": 0.01},
        "recon": {"name": "boosted_one_shot"},
        "iterations": 255,
        "hidden_kernels": [1, 1, 1, 1],
    },
    "example": {"cell": {"name": "gru"}, "recon": {"name": "one_shot"}, "iterations": 2},
}
ENTROPY: dict[str, Callable[[], EntropyModel] | None] = {
    "gru_resnet": partial(Progressive, 4, 8),
    "lstm": partial(BinaryRNN, 3, 4),
    "assoc_lstm": partial(Progressive, 3, 4),
    "gru": partial(BinaryRNN, 3, 8),
    "none": None,
    "example": partial(Progressive, 2, 2),
}


@torch.no_grad()
def sparse_network(config: dict[str, Any]) -> Network:
    """Random weights, most of them 0; an encoder of zeros, which nothing here uses."""
    network = Network.from_config({"width": 0.125, **config})
    for name, parameter in network.named_parameters():
        if name.startswith(("encoder.", "binarizer.")):
            parameter.zero_()
            continue
        if parameter.dim() > 1:
            density = DENSITY * (0.75 if config["cell"]["name"] == "assoc_lstm" else 1)
            keep = torch.rand_like(parameter) < max(density, 4 / parameter[0].numel())
            fan_in = max(1.0, density * parameter[0].numel())
            spread = 0.25 if "output" in name else SPREAD.get(config["cell"]["name"], 1.2)
            parameter.copy_(torch.randn_like(parameter) * keep * spread / fan_in**0.5)
        else:
            parameter.copy_(torch.randn_like(parameter) * (0.05 if "output" in name else 0.2))
        parameter.copy_((parameter * 16).round() / 16)
    return network


@torch.no_grad()
def sparse_entropy(make: Callable[[], EntropyModel]) -> IntegerModel:
    """Random weights, most of them 0, that say something of every bit."""
    model = make()
    for name, layer in model.layers.items():
        keep = torch.rand_like(layer.weight) < 0.2
        spread = {"context": 0.7, "logits": 5.0, "line": 1.5}.get(name, 2.0)
        layer.weight.mul_(keep * spread * 2)
        layer.bias.add_(torch.randn_like(layer.bias) * (1.5 if name == "logits" else 0.3))
    return quantize(model)


def drawn(
    model: IntegerModel | None,
    shape: tuple[int, int, int],
    ends: NDArray[np.int64] | None,
    *,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Codes (T, h, w, 32), UNSENT from iteration `ends` (h, w) on."""
    T, h, w = shape
    over = np.zeros(shape, bool) if ends is None else ends <= np.arange(T)[:, None, None]
    if model is None:
        codes = rng.integers(0, 2, (T, h, w, 32), np.uint8)
        codes[over] = UNSENT
        return codes
    place = [np.lexsort((y := np.arange(h * w) // w, np.arange(h * w) % w + 4 * y))] * T
    at = [0] * T

    def decode(t: int, p: NDArray[np.int32]) -> NDArray[np.uint8]:
        bits = (rng.random(p.shape) * 65536 < p).astype(np.uint8)
        here = place[t][at[t] : at[t] + p.shape[1]]
        at[t] += p.shape[1]
        bits[:, over[t].ravel()[here]] = UNSENT
        return bits

    front = Wavefront(model, (h, w), iterations=T)
    front.advance(T, decode)
    return front.codes().numpy()[0]


class Maker:
    """Writes files into the set and their entries into the manifest."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.codecs: dict[str, Codec] = {}

    def model(self, name: str) -> None:
        torch.manual_seed(zlib.crc32(name.encode()))
        network = sparse_network(NETWORKS[name])
        make = ENTROPY[name]
        made = Model(network, sparse_entropy(make) if make else None)
        plain = SET / f"{name}.safetensors"
        model_file.save(plain, made, dtype=torch.float16)
        packed = gzip.compress(plain.read_bytes(), 9, mtime=0)
        (SET / f"{name}.safetensors.gz").write_bytes(packed)
        self.codecs[name] = Codec(model_file.load(plain))
        plain.unlink()
        assert len(packed) < 100_000, (name, len(packed))

    def file(
        self,
        name: str,
        exercises: str,
        *,
        model: str,
        size: tuple[int, int],
        iterations: int | None = None,
        ending: str = "",
        unlikely: bool = False,
        keep: int | None = None,
        tail: int = 0,
        **fields: Any,
    ) -> bytes:
        """Draw codes, write the file, cut it, and state what it decodes to."""
        codec = self.codecs[model]
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        header = Header(
            width=size[0],
            height=size[1],
            iterations=iterations or codec.iterations,
            fingerprint=codec.fingerprint,
            **fields,
        )
        h, w, _ = header.code_shape
        T = header.iterations
        ends = None
        if ending == "random":
            ends = rng.integers(1, T + 1, (h, w))
        elif ending == "early":
            ends = np.ones((h, w), np.int64)
        codes = np.zeros((T, h, w, 32), np.uint8)
        for tile in header.tiles():
            part = None if ends is None else ends[tile.slices]
            codes[:, *tile.slices] = drawn(codec.model.entropy, (T, tile.h, tile.w), part, rng=rng)
        if unlikely:
            codes[codes < 2] ^= 1
        header = Header(**{**vars_of(header), "adaptive": bool((codes == UNSENT).any())})
        data = write(header, coded_iterations(codec.model.entropy, codes, header))
        if keep is not None:
            from rnncodec.bitstream import parse

            last = parse(data).segments[keep - 1]
            data = data[: last.offset + last.size + tail]
            codes = codes[:keep]
        self.store(name, data, exercises, model, codes)
        return data

    def store(
        self, name: str, data: bytes, exercises: str, model: str, codes: NDArray[np.uint8]
    ) -> None:
        import warnings

        codec = self.codecs[model]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cut files
            np.testing.assert_array_equal(codec.decode_codes(data), codes)
            picture = codec.decode(data)
        (SET / f"{name}.rnc").write_bytes(data)
        Image.fromarray(np.asarray(picture)).save(SET / f"{name}.png", optimize=True)
        self.entries.append(
            {
                "file": f"set/{name}.rnc",
                "model": f"set/{model}.safetensors.gz",
                "exercises": exercises,
                "iterations": len(codes),
                "codes_sha256": hashlib.sha256(codes.tobytes()).hexdigest(),
                "pixels": f"set/{name}.png",
            }
        )

    def broken(self, name: str, data: bytes, exercises: str, error: str, *, model: str) -> None:
        (SET / f"broken-{name}.rnc").write_bytes(data)
        self.entries.append(
            {
                "file": f"set/broken-{name}.rnc",
                "model": f"set/{model}.safetensors.gz",
                "exercises": exercises,
                "error": error,
            }
        )


def vars_of(header: Header) -> dict[str, Any]:
    import dataclasses

    return {field.name: getattr(header, field.name) for field in dataclasses.fields(header)}


def altered(data: bytes, at: int, value: int) -> bytes:
    """One byte of the header changed, and its CRC-32 made right again."""
    changed = bytearray(data)
    changed[at] = value
    changed[34:38] = zlib.crc32(changed[:34]).to_bytes(4, "big")
    return bytes(changed)


def good(make: Maker) -> dict[str, bytes]:
    """The files that decode."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = ColourMode.GREY
    file = make.file
    files = {}
    files["example"] = file(
        "example", "the worked example of FORMAT.md", model="example", size=(32, 16)
    )
    files["progressive"] = file(
        "progressive",
        "gru_resnet, one_shot, progressive; mode 1; one piece that is wide",
        model="gru_resnet",
        size=(132, 53),
    )
    file("tall", "progressive; one column of positions", model="gru_resnet", size=(9, 150))
    file("wide", "progressive; one row of positions", model="gru_resnet", size=(150, 16))
    file("unlikely", "progressive; mode 0", model="gru_resnet", size=(50, 40), unlikely=True)
    file(
        "first-iteration",
        "one iteration of a model of four",
        model="gru_resnet",
        size=(48, 48),
        iterations=1,
    )
    files["tiles"] = file(
        "tiles",
        "tiles of 32 pixels with smaller ones at the edges, and their table",
        model="gru_resnet",
        size=(100, 70),
        tile=32,
    )
    file("one-block-tiles", "tiles of one position", model="gru_resnet", size=(40, 40), tile=16)
    file(
        "adaptive",
        "mode 3: positions that end",
        model="gru_resnet",
        size=(120, 70),
        ending="random",
    )
    file(
        "adaptive-tiles",
        "masks in tiles, grey",
        model="gru_resnet",
        size=(90, 90),
        ending="random",
        tile=48,
        colour=grey,
    )
    file(
        "adaptive-unlikely",
        "mode 2: masked bits of probability 1/2",
        model="gru_resnet",
        size=(70, 50),
        ending="random",
        unlikely=True,
    )
    file(
        "adaptive-over",
        "all positions end after the first iteration",
        model="gru_resnet",
        size=(64, 48),
        ending="early",
    )
    file(
        "cut",
        "the first two of four iterations, cut between two segments",
        model="gru_resnet",
        size=(64, 64),
        keep=2,
    )
    file(
        "cut-inside",
        "cut inside the third segment: two iterations are whole",
        model="gru_resnet",
        size=(64, 64),
        keep=2,
        tail=11,
    )
    file("pixel", "1x1 pixel", model="gru_resnet", size=(1, 1))
    file("large", "300x200 pixels", model="gru_resnet", size=(300, 200), iterations=2)
    file("lstm", "lstm, additive, binary_rnn", model="lstm", size=(75, 66))
    file(
        "lstm-profile",
        "an ICC profile; grey",
        model="lstm",
        size=(33, 17),
        icc_profile=srgb,
        colour=grey,
    )
    file(
        "lstm-adaptive",
        "binary_rnn with positions that end; additive keeps their picture",
        model="lstm",
        size=(80, 80),
        ending="random",
    )
    file("assoc_lstm", "assoc_lstm, scaled_additive", model="assoc_lstm", size=(81, 70))
    file(
        "assoc_lstm-tiles",
        "scaled_additive in tiles of 48 pixels, no multiple of 32, and positions that end",
        model="assoc_lstm",
        size=(100, 60),
        tile=48,
        ending="random",
    )
    file(
        "gru",
        "gru, boosted_additive, priming 2, diffusion 1, hidden_kernels [3, 1, 1, 1]",
        model="gru",
        size=(64, 50),
    )
    files["none"] = file(
        "none",
        "no entropy model; boosted_one_shot; hidden_kernels [1, 1, 1, 1]",
        model="none",
        size=(30, 20),
        iterations=3,
    )
    file(
        "none-adaptive",
        "no entropy model: mode 2",
        model="none",
        size=(60, 40),
        iterations=5,
        ending="random",
    )
    file("none-255", "255 iterations, the most", model="none", size=(16, 16))
    return files


def bad(make: Maker, files: dict[str, bytes]) -> None:
    """The files that must be refused, each with one fault."""
    data, tiles, none = files["progressive"], files["tiles"], files["none"]
    broken = partial(make.broken, model="gru_resnet")
    broken("empty", b"", "no bytes", "incomplete")
    broken("png", b"\x89PNG\r\n\x1a\n", "the first bytes of a PNG file", "foreign")
    broken("version", altered(data, 4, 2)[:20], "version 2, cut", "newer")
    broken("header-cut", data[:37], "37 bytes of the header", "incomplete")
    broken("header-crc", data[:20] + b"\x01" + data[21:], "a flipped byte 20", "damaged")
    broken("flag", altered(data, 5, 4), "a flag that is not defined", "newer")
    broken("colour", altered(data, 6, 2), "colour mode 2", "newer")
    broken("iterations", altered(data, 7, 0), "0 iterations", "damaged")
    broken("too-many", altered(data, 7, 5), "more iterations than the model has", "model")
    broken("width", altered(data[:8] + bytes(3) + data[11:], 11, 0), "width 0", "damaged")
    huge = data[:8] + b"\x00\x01\x00\x00" * 2 + data[16:]
    broken("huge", altered(huge, 4, 1), "65536x65536 pixels: 2^24 positions", "damaged")
    piece = data[:8] + b"\x00\x00\x20\x00" * 2 + data[16:]
    broken("piece", altered(piece, 4, 1), "one piece of 262144 positions", "damaged")
    tiny = data[:8] + b"\x00\x00\x04\x10" * 2 + data[16:]
    broken("many-tiles", altered(tiny, 17, 1), "4225 tiles", "damaged")
    broken("other-model", altered(data, 18, data[18] ^ 1), "another fingerprint", "model")
    broken("profile-length", altered(data, 5, 1)[:38] + bytes(60), "a profile of 0", "damaged")
    icc = altered(data, 5, 1)[:38] + b"\x00\x00\x00\x09" + bytes(4) + b"icc"
    broken("profile-cut", icc, "a profile that is cut", "incomplete")
    broken("profile-crc", icc + bytes(6), "a profile whose CRC-32 differs", "damaged")
    broken("header-only", data[:38], "a header and nothing else", "incomplete")
    broken("first-cut", data[:50], "cut inside the first segment", "incomplete")
    broken(
        "mode", data[:39] + bytes([data[39] ^ 2]) + data[40:], "mode 3, not adaptive", "damaged"
    )
    broken(
        "tag-long",
        data[:38] + b"\x80\x81\x01" + data[40:],
        "a tag that is not shortest",
        "damaged",
    )
    broken("tag-five", data[:38] + b"\xff" * 5 + data[40:], "a tag of five bytes", "damaged")
    raw = data[:38] + bytes([(4 * 35) >> 5 | 0x80, (4 * 35 << 2) & 0x7F]) + data[40:]
    broken("raw-length", raw, "a raw segment of another length", "damaged")
    flipped = bytearray(data)
    flipped[60] ^= 0x10
    broken("payload", bytes(flipped), "a flipped bit in the first payload", "damaged")
    flipped = bytearray(data)
    flipped[-3] ^= 0x10
    broken("last-payload", bytes(flipped), "a flipped bit in the last payload", "damaged")
    broken("checksum", data[:41] + bytes([data[41] ^ 1]) + data[42:], "another CRC-32", "damaged")
    broken("surplus", data + b"\x00", "a byte after the last segment", "damaged")
    table = bytearray(tiles)
    start = 38 + len_of_tag(tiles, 38) + 4
    table[start] = 0x7F
    broken("table", bytes(table), "lengths of tiles beyond the payload", "damaged")
    tag = bytes([none[38] & 0xFC | 1])
    entropy = none[:38] + bytes([0x01 | (4 << 2)]) + none[39:43] + bytes(4)
    assert tag
    make.broken("no-entropy-model", entropy, "mode 1, but no entropy model", "model", model="none")


def len_of_tag(data: bytes, at: int) -> int:
    """Bytes of the tag at an offset."""
    size = 1
    while data[at + size - 1] & 0x80:
        size += 1
    return size


def golden() -> Iterator[dict[str, Any]]:
    """The entries of the files that were here before."""
    from rnncodec.codec import load

    codec = load(HERE / "model.safetensors")
    told = {
        "rgb": "gru, scaled_additive, progressive: a trained model",
        "grey": "decoded to one grey channel",
        "tiled": "tiles of 48 pixels; modes 0 and 1",
        "profile": "an ICC profile",
        "pixel": "1x1 pixel",
        "raw": "codes that the model expects so little that segments are stored raw",
        "adaptive": "positions that end",
    }
    for name, exercises in told.items():
        codes = codec.decode_codes((HERE / f"{name}.rnc").read_bytes())
        yield {
            "file": f"{name}.rnc",
            "model": "model.safetensors",
            "exercises": exercises,
            "iterations": len(codes),
            "codes_sha256": hashlib.sha256(codes.tobytes()).hexdigest(),
            "pixels": f"{name}.png",
        }


def main() -> None:
    torch.set_num_threads(1)
    SET.mkdir(exist_ok=True)
    make = Maker()
    for name in NETWORKS:
        make.model(name)
    bad(make, good(make))
    manifest = {"format": 1, "files": [*golden(), *make.entries]}
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (HERE / "manifest.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
