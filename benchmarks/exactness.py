"""What is exact and what is not, across settings: `python benchmarks/exactness.py --help`.

Codes -> bytes -> codes must be equal for every number of threads, instruction set, batch size and
arithmetic; the exit status is 1 if they are not. The network is in floats: counted is how many
bits the encoder chooses otherwise, and how far apart the decoder's pixels are. Settings are runs
of a process of their own; any two values of two settings meet in one of them. JSON goes to
outputs/bench/exactness.json.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from host_info import describe
from rnncodec.bitstream import Codes, Decoder, Header
from rnncodec.codec import Codec, load
from rnncodec.coding.entropy_coding import code_tiles
from rnncodec.coding.transform import Synthesizer
from rnncodec.entropy import IntegerModel, Wavefront, model_class, quantize
from rnncodec.machine import storage
from rnncodec.models import model_file
from rnncodec.models.model_file import Model

ATEN, ONEDNN = "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"
KINDS = ("binary_rnn", "progressive")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
BATCHES = (1, 4)
RESULT = Path("outputs/bench/exactness.json")


@dataclass(frozen=True)
class Setting:
    """Of a process: threads, and instruction sets of PyTorch and oneDNN; None: not limited."""

    threads: int
    aten: str | None
    onednn: str | None

    def environment(self) -> dict[str, str]:
        """The environment of a process with this setting."""
        ours = {"OMP_NUM_THREADS": str(self.threads), ATEN: self.aten, ONEDNN: self.onednn}
        kept = {key: value for key, value in os.environ.items() if key not in ours}
        return kept | {key: value for key, value in ours.items() if value is not None}

    def __str__(self) -> str:
        return f"{self.threads} threads, aten {self.aten or '-'}, onednn {self.onednn or '-'}"


def settings(*, quick: bool) -> list[Setting]:
    """Each instruction set of the one with each of the other; each with one thread and two."""
    if quick:
        return [Setting(1, None, None), Setting(2, "default", "SSE41")]
    pairs = itertools.product((None, "avx2", "default"), (None, "AVX2", "SSE41"))
    return [Setting(1 + k % 2, aten, onednn) for k, (aten, onednn) in enumerate(pairs)]


def main() -> int:
    """Prepare, run a process for each setting, compare, print, store."""
    arguments = parse_arguments()
    if arguments.child:
        child(Path(arguments.child))
        return 0
    chosen = settings(quick=arguments.quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(arguments, folder)
        runs = [run(setting, folder, number) for number, setting in enumerate(chosen)]
        floats = compare_floats(folder, len(chosen), len(arguments.images))
    exact = compare_exact(runs)
    result = {
        "exact": all(exact.values()),
        "equal": exact,
        "floats": floats,
        "settings": [asdict(setting) for setting in chosen],
        "runs": runs,
        "images": [path.name for path in arguments.images],
        "machine": describe(),
    }
    storage.write_text(arguments.output, json.dumps(result, indent=2) + "\n")
    show(result)
    return 0 if result["exact"] else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what is exact across settings.")
    parser.add_argument("images", type=Path, nargs="*", help="pictures")
    parser.add_argument("--model", type=Path, default=Path("tests/golden/model.safetensors"))
    parser.add_argument("--iterations", type=int, help="fewer than the model has, to save time")
    parser.add_argument("--quick", action="store_true", help="two settings instead of nine")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(arguments: argparse.Namespace, folder: Path) -> None:
    """Put into the folder what all processes read: models, pixels, and codes to start from."""
    codec = load(arguments.model)
    for kind in KINDS:
        entropy = codec.model.entropy
        if entropy is None or entropy.config["name"] != kind:
            entropy = untrained(kind, codec.iterations)
        model_file.save(folder / f"{kind}.safetensors", Model(codec.model.network, entropy))
    for number, path in enumerate(arguments.images):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        np.save(folder / f"pixels-{number}.npy", pixels)
        codes = codec.encode_codes(pixels, iterations=arguments.iterations)
        np.save(folder / f"codes-{number}.npy", codes)


def untrained(kind: str, iterations: int) -> IntegerModel:
    """Weights large enough for tables and clamps to matter."""
    torch.manual_seed(7)
    model = model_class(kind)(iterations, 64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2).add_(torch.randn_like(parameter) * 0.05)
    return quantize(model)


def run(setting: Setting, folder: Path, number: int) -> dict[str, Any]:
    """A process of its own, and what it found."""
    print(setting, flush=True)
    command = [sys.executable, __file__, "--child", str(folder / f"run-{number}")]
    subprocess.run(command, env=setting.environment(), check=True)
    found: dict[str, Any] = json.loads((folder / f"run-{number}.json").read_text("utf-8"))
    assert found["threads"] == setting.threads, found
    return found


def child(prefix: Path) -> None:
    """Do everything once, under the settings of this process."""
    folder = prefix.parent
    found: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "hashes": {},
    }
    codecs = {kind: load(folder / f"{kind}.safetensors") for kind in KINDS}
    for number in range(len(list(folder.glob("codes-*.npy")))):
        codes = np.load(folder / f"codes-{number}.npy")
        pixels = np.load(folder / f"pixels-{number}.npy")
        network = codecs[KINDS[0]]
        np.savez(
            f"{prefix}-{number}.npz",
            bits=network.encode_codes(pixels, iterations=len(codes)),
            picture=paint(network, codes, pixels.shape),
        )
        for kind, codec in codecs.items():
            assert codec.model.entropy is not None
            found["hashes"] |= {
                f"image {number}, {key}": value
                for key, value in hashes(kind, codec.model.entropy, codes).items()
            }
    storage.write_text(f"{prefix}.json", json.dumps(found))


def paint(codec: Codec, codes: Codes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The picture that the decoder network makes of codes."""
    header = Header(
        width=shape[1], height=shape[0], iterations=len(codes), fingerprint=codec.fingerprint
    )
    return Synthesizer(codec.transform, header, len(codes)).synthesize(codes)


def hashes(kind: str, model: IntegerModel, codes: Codes) -> dict[str, list[str]]:
    """By entropy model, batch and arithmetic: of probabilities, bytes and codes decoded."""
    config, tensors = model.state()
    found = {}
    for (name, dtype), count in itertools.product(DTYPES.items(), BATCHES):
        model = IntegerModel.from_state(config, tensors, dtype=dtype)
        # the others in the batch differ from the first, which is the one looked at
        batch = np.stack([np.roll(codes, k, axis=2) for k in range(count)])
        probabilities = model.probabilities(torch.from_numpy(batch))[0].numpy()
        coded = code_tiles(model, batch)
        decoded = decode_tiles(model, coded, (batch.shape[2], batch.shape[3]))
        assert np.array_equal(decoded, batch), f"{kind}: bytes do not give back the codes"
        parts = [probabilities.tobytes(), b"|".join(coded[0]), decoded[0].tobytes()]
        found[f"{kind}, {name}, batch {count}"] = [digest(part) for part in parts]
    return found


def decode_tiles(model: IntegerModel, coded: list[list[bytes]], size: tuple[int, int]) -> Codes:
    """Bytes by tile and iteration -> codes (B, T, h, w, 32)."""
    decoders = [[Decoder(payload) for payload in tile] for tile in coded]

    def decode(t: int, chances: NDArray[np.int32]) -> NDArray[np.uint8]:
        pairs = zip(decoders, chances, strict=True)
        return np.stack([tile[t].decode(p.ravel()).reshape(p.shape) for tile, p in pairs])

    front = Wavefront(model, size, iterations=len(coded[0]), batch=len(coded))
    front.advance(front.iterations, decode)
    codes: Codes = front.codes().numpy()
    return codes


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def compare_exact(runs: list[dict[str, Any]]) -> dict[str, bool]:
    """By image and entropy model: whether all runs, batches and arithmetics agree on all three."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for one in runs:
        for key, value in one["hashes"].items():
            found.setdefault(", ".join(key.split(", ")[:2]), set()).add(tuple(value))
    return {key: len(values) == 1 for key, values in found.items()}


def compare_floats(folder: Path, runs: int, images: int) -> list[dict[str, Any]]:
    """Largest differences between any two runs, by image."""
    table = []
    for number in range(images):
        results = [np.load(folder / f"run-{k}-{number}.npz") for k in range(runs)]
        bits = [found["bits"] for found in results]
        pictures = [found["picture"].astype(np.int16) for found in results]
        pairs = list(itertools.combinations(range(runs), 2))
        errors = [np.abs(pictures[a] - pictures[b]) for a, b in pairs]
        worst = max(float((error.astype(np.float64) ** 2).mean()) for error in errors)
        table.append(
            {
                "bits": int(bits[0].size),
                "most_bits_different": max(int((bits[a] != bits[b]).sum()) for a, b in pairs),
                "pairs_with_equal_bits": sum(np.array_equal(bits[a], bits[b]) for a, b in pairs),
                "pairs": len(pairs),
                "largest_pixel_difference": max(int(error.max()) for error in errors),
                "largest_mean_pixel_difference": max(float(error.mean()) for error in errors),
                "least_psnr": 10 * float(np.log10(255**2 / worst)) if worst else None,
            }
        )
    return table


def show(result: dict[str, Any]) -> None:
    for key, equal in result["equal"].items():
        print(f"{key:<24} {'equal' if equal else 'DIFFERENT'} (probabilities, bytes, codes)")
    for name, row in zip(result["images"], result["floats"], strict=True):
        psnr = "equal" if row["least_psnr"] is None else f"{row['least_psnr']:.1f} dB"
        print(
            f"{name:<24} encoder: up to {row['most_bits_different']} of {row['bits']} bits differ,"
            f" {row['pairs_with_equal_bits']} of {row['pairs']} pairs of runs agree; decoder: up"
            f" to {row['largest_pixel_difference']} levels, {psnr}"
        )


if __name__ == "__main__":
    sys.exit(main())
