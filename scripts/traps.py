"""Measure again what docs/guides/fair-comparison.md says of other tools.

    python scripts/traps.py                       # photographs that ship inside scikit-image
    python scripts/traps.py --kodak kodak/        # rows about codecs on these photographs
    python scripts/traps.py --only png safetensors

Every row prints what was found here, and whether the row of the guide holds. A row whose package
is not installed is skipped, with the reason. The exit code is 1 if one no longer holds.
"""

import argparse
import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import io
import itertools
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""(H, W, 3)."""
Found = tuple[bool, str]
"""Whether the row holds, and what was measured."""


@dataclass(frozen=True)
class Row:
    """A row of the guide.

    Attributes:
        name: as in the guide's first column.
        needs: packages that it is measured with.
        tools: programs that it is measured with.
        measure: from photographs to what was found.
    """

    name: str
    needs: tuple[str, ...]
    tools: tuple[str, ...]
    measure: Callable[[Sequence[Pixels]], Found]

    def missing(self) -> str | None:
        """Why it cannot be measured here; None if it can."""
        packages = [name for name in self.needs if version(name) is None]
        tools = [name for name in self.tools if shutil.which(name) is None]
        lacking = [f"package {name}" for name in packages] + [f"program {name}" for name in tools]
        return ", ".join(lacking) or None


ROWS: list[Row] = []
"""In the guide's order."""


def row(
    name: str, *needs: str, tools: Sequence[str] = ()
) -> Callable[[Callable[[Sequence[Pixels]], Found]], Callable[[Sequence[Pixels]], Found]]:
    """Enter a measurement into ``ROWS``."""

    def enter(measure: Callable[[Sequence[Pixels]], Found]) -> Callable[..., Found]:
        ROWS.append(Row(name, needs, tuple(tools), measure))
        return measure

    return enter


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kodak", type=Path, help="a folder of PNG photographs to measure on")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these rows alone")
    asked = parser.parse_args(arguments)
    unknown = set(asked.only) - {each.name for each in ROWS}
    if unknown:
        parser.error(f"no rows {sorted(unknown)}; there are {[each.name for each in ROWS]}")
    quiet()
    photographs = from_folder(asked.kodak) if asked.kodak else packaged()
    print(f"Python {platform.python_version()}, {platform.machine()}, Pillow {version('pillow')},")
    print(f"{len(photographs)} photographs from {'--kodak' if asked.kodak else 'scikit-image'}")
    counts = {"holds": 0, "differs": 0, "skipped": 0}
    for each in ROWS:
        if asked.only and each.name not in asked.only:
            continue
        outcome, said = result(each, photographs)
        counts[outcome] += 1
        used = ", ".join(f"{name} {version(name)}" for name in each.needs if version(name))
        print(f"{outcome:8}{each.name}: {said}" + (f" [{used}]" if used else ""), flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return int(counts["differs"] > 0)


def result(each: Row, photographs: Sequence[Pixels]) -> tuple[str, str]:
    """A row's outcome and the words for it."""
    lacking = each.missing()
    if lacking is not None:
        return "skipped", f"not installed: {lacking}"
    start = time.perf_counter()
    with warnings.catch_warnings(), printing_nothing():
        warnings.simplefilter("ignore")
        holds, said = each.measure(photographs)
    return "holds" if holds else "differs", f"{said} ({time.perf_counter() - start:.1f} s)"


def version(package: str) -> str | None:
    """The installed one; None if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def quiet() -> None:
    """Silence what the libraries say of themselves."""
    for name in ("lightning.pytorch", "lightning.fabric", "optuna", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("WANDB_SILENT", "true")


@contextlib.contextmanager
def printing_nothing() -> Iterator[None]:
    """Within it, what Python code prints is dropped."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


# Photographs, files and figures


def packaged() -> list[Pixels]:
    """Photographs that scikit-image installs, at most 512 pixels a side."""
    from skimage import data

    pictures = [data.astronaut(), data.coffee(), data.chelsea()]
    return [np.ascontiguousarray(picture[:512, :512]) for picture in pictures]


def from_folder(folder: Path) -> list[Pixels]:
    """The PNG files of a folder."""
    paths = sorted(folder.glob("*.png"))
    if not paths:
        raise SystemExit(f"{folder}: no PNG files")
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def written(picture: Pixels, kind: str, **options: Any) -> bytes:
    """The file that Pillow writes."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def shown(data: bytes) -> Pixels:
    """What a file shows, (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def psnr(test: NDArray[Any], reference: NDArray[Any]) -> float:
    """In dB, of values in 0..255."""
    error = np.square(test.astype(np.float64) - reference).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def crop(picture: Pixels, side: int = 256) -> Pixels:
    """The middle."""
    top, left = ((n - side) // 2 for n in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def distorted(picture: Pixels) -> Pixels:
    """A JPEG of low quality."""
    return shown(written(picture, "JPEG", quality=20))


def batches(photographs: Sequence[Pixels]) -> tuple[Any, Any]:
    """The first photograph's middle and a JPEG of it, as float batches (1, 3, 256, 256)."""
    import torch

    picture = crop(photographs[0])
    pair = (picture, distorted(picture))
    x, y = (torch.from_numpy(p.copy()).movedim(-1, 0)[None].float() / 255 for p in pair)
    return x, y


# Baselines


@row("jxl-quality-18-19", "pillow-jxl-plugin")
def jxl_quality(photographs: Sequence[Pixels]) -> Found:
    importlib.import_module("pillow_jxl")
    bytes_, gains = [], []
    for picture in photographs:
        low, high = (written(picture, "JXL", quality=q, num_threads=1) for q in (18, 19))
        bytes_.append(len(high) / len(low) - 1)
        gains.append(psnr(shown(high), picture) - psnr(shown(low), picture))
    smaller = sum(change < 0 for change in bytes_)
    said = f"quality 19 is smaller than 18 on {smaller} of {len(bytes_)}"
    said += f", {np.mean(bytes_):+.1%}, at {np.mean(gains):+.2f} dB"
    return smaller > len(bytes_) / 2 and float(np.mean(gains)) > 0, said


@row("jxl-transcodes", "pillow-jxl-plugin")
def jxl_transcodes(photographs: Sequence[Pixels]) -> Found:
    importlib.import_module("pillow_jxl")
    picture = photographs[0]
    sizes, kept = {}, False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        path.write_bytes(written(picture, "JPEG", quality=90))
        for name, source in (("path", path), ("memory", io.BytesIO(path.read_bytes()))):
            with Image.open(source) as image:
                image.load()
                image.paste((255, 0, 0), (0, 0, 64, 64))
                file = io.BytesIO()
                image.save(file, "JXL", quality=30)
            sizes[name] = len(file.getvalue()) / path.stat().st_size
            painted = shown(file.getvalue())[8:56, 8:56].mean(axis=(0, 1))
            kept = kept or (name == "path" and painted[0] - painted[1] > 150)
    said = f"from a path {sizes['path']:.0%} of the JPEG's bytes, what was painted in is "
    said += f"{'kept' if kept else 'lost'}; from memory {sizes['memory']:.0%}"
    return sizes["path"] > 2 * sizes["memory"] and not kept, said


@row("jxl-effort", "pillow-jxl-plugin")
def jxl_effort(photographs: Sequence[Pixels]) -> Found:
    importlib.import_module("pillow_jxl")
    picture = crop(photographs[0])
    files = [
        written(picture, "JXL", quality=75, effort=effort, num_threads=1)
        for effort in range(1, 10)
    ]
    sizes = [len(data) for data in files]
    quality = [psnr(shown(data), picture) for data in files]
    falling = all(a >= b for a, b in itertools.pairwise(sizes))
    said = f"bytes of effort 1 to 9: {sizes}; 9 is at {quality[8] - quality[6]:+.2f} dB beside 7"
    return not falling and abs(quality[8] - quality[6]) > 0.05, said


@row("cjxl-and-plugin", "pillow-jxl-plugin", tools=["cjxl"])
def cjxl(photographs: Sequence[Pixels]) -> Found:
    importlib.import_module("pillow_jxl")
    picture = photographs[0]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.png"), Path(folder, "a.jxl")
        Image.fromarray(picture).save(source)
        command = ["cjxl", "-q", "75", str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        ours = len(written(picture, "JXL", quality=75))
        change = ours / target.stat().st_size - 1
    return change != 0, f"at quality 75 the plugin's file has {change:+.1%} bytes"


@row("avif-grid")
def avif_grid(photographs: Sequence[Pixels]) -> Found:
    picture = crop(photographs[0])
    sizes = {len(written(picture, "AVIF", quality=q, speed=10, max_threads=1)) for q in range(101)}
    large = np.tile(picture, (2, 3, 1))
    one, two = (written(large, "AVIF", quality=50, max_threads=n) for n in (1, 2))
    said = f"{len(sizes)} sizes for 101 qualities; two threads give "
    return len(sizes) < 95, said + ("other bytes than one" if one != two else "the bytes of one")


@row("avif-speed")
def avif_speed(photographs: Sequence[Pixels]) -> Found:
    picture = crop(photographs[0])
    sizes, quality, seconds = {}, {}, {}
    for speed in (0, 3, 6, 10):
        start = time.perf_counter()
        data = written(picture, "AVIF", quality=50, speed=speed, max_threads=1)
        seconds[speed] = time.perf_counter() - start
        sizes[speed], quality[speed] = len(data), round(psnr(shown(data), picture), 2)
    said = f"bytes by speed {sizes}, dB {quality}, speed 0 takes {seconds[0] / seconds[3]:.1f}"
    return len(set(sizes.values())) > 1, said + " times as long as speed 3"


@row("jpeg2000")
def jpeg2000(photographs: Sequence[Pixels]) -> Found:
    plain, mixed, above = [], [], 0
    for picture in photographs:
        plain.append(len(written(picture, "JPEG2000")))
        mixed.append(len(written(picture, "JPEG2000", mct=1)))
        asked = written(
            picture,
            "JPEG2000",
            quality_mode="rates",
            quality_layers=[300],
            irreversible=True,
            mct=1,
        )
        above += 8 * len(asked) > 0.08 * picture.size / 3
    more = sum(plain) / sum(mixed) - 1
    written(photographs[0], "JPEG2000", quality_mode="rates", quality_layers=[20, 80, 40])
    said = f"the default takes {more:+.0%} bytes without loss; {above} of {len(plain)} files are"
    return more > 0.05, said + " above the 0.08 bpp asked for; layers out of order are accepted"


@row("jpeg-progressive")
def jpeg_progressive(photographs: Sequence[Pixels]) -> Found:
    counts = {}
    for name, pictures, quality in (
        ("at quality 8", photographs, 8),
        ("at 92", photographs, 92),
        ("of crops of 64x64 at 75", [crop(picture, 64) for picture in photographs], 75),
    ):
        counts[name] = sum(
            len(written(picture, "JPEG", quality=quality, progressive=True))
            < len(written(picture, "JPEG", quality=quality, optimize=True))
            for picture in pictures
        )
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    low, high, crops = counts.values()
    return low < high and crops < high, f"smaller than optimized on {said}, of {len(photographs)}"


@row("imagecodecs", "imagecodecs")
def imagecodecs(photographs: Sequence[Pixels]) -> Found:
    module = importlib.import_module("imagecodecs")
    picture = crop(photographs[0])
    exact = {}
    for name in ("webp", "avif", "jpegxl", "jpeg2k"):
        data = getattr(module, f"{name}_encode")(picture)
        exact[name] = bool(np.array_equal(getattr(module, f"{name}_decode")(data), picture))
    top = module.jpegxl_encode(picture, level=100)
    lossless = np.array_equal(module.jpegxl_decode(top), picture)
    ratio = len(top) / len(module.jpegxl_encode(picture))
    said = (
        f"lossless by default: {exact}; jpegxl level=100 is {'' if lossless else 'not '}lossless"
    )
    return all(exact.values()) and not lossless, f"{said}, at {ratio:.1f} times the bytes"


@row("png-level")
def png_level(photographs: Sequence[Pixels]) -> Found:
    pictures = [crop(picture) for picture in photographs]
    sizes = {
        level: sum(len(written(picture, "PNG", compress_level=level)) for picture in pictures)
        for level in (1, 3, 4, 6, 9)
    }
    chosen = np.sum([np.bincount(png_filters(p), minlength=5) for p in pictures], axis=0)
    names = ("None", "Sub", "Up", "Average", "Paeth")
    said = ", ".join(f"{name} {count}" for name, count in zip(names, chosen, strict=True))
    said = f"rows by filter: {said}; bytes by level {sizes}"
    return int(chosen[3]) == 0, said


def png_filters(picture: Pixels) -> NDArray[np.uint8]:
    """The filter of each row of a picture's PNG."""
    data, place, packed = written(picture, "PNG"), 8, b""
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += 12 + length
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(len(picture), -1)
    return rows[:, 0]


# Decoders


@row("ffmpeg-jpeg", tools=["ffmpeg"])
def ffmpeg_jpeg(photographs: Sequence[Pixels]) -> Found:
    picture = photographs[0]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.jpg"), Path(folder, "a.png")
        source.write_bytes(written(picture, "JPEG", quality=75))
        command = ["ffmpeg", "-v", "error", "-i", str(source), "-pix_fmt", "rgb24", str(target)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        theirs, ours = shown(target.read_bytes()), shown(source.read_bytes())
    lost = psnr(ours, picture) - psnr(theirs, picture)
    said = f"{psnr(theirs, ours):.1f} dB from libjpeg-turbo's, {lost:.2f} dB lost"
    return not np.array_equal(theirs, ours), said


@row("datasets-reencode", "datasets")
def datasets_reencode(photographs: Sequence[Pixels]) -> Found:
    datasets = importlib.import_module("datasets")
    data = written(photographs[0], "JPEG", quality=90)
    image = Image.open(io.BytesIO(data))
    feature = datasets.Features({"image": datasets.Image(decode=False)})
    stored = datasets.Dataset.from_dict({"image": [image]}, features=feature)[0]["image"]["bytes"]
    distance = psnr(shown(stored), shown(data))
    said = f"{len(data):,} bytes become {len(stored):,}, {distance:.1f} dB from before"
    return stored != data and np.isfinite(distance), said


# Metrics


@row("ms-ssim-conventions", "torchmetrics", "torch")
def ms_ssim(photographs: Sequence[Pixels]) -> Found:
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure as measure,
    )

    x, y = batches(photographs)
    values = {"torchmetrics": measure(y, x, data_range=1.0).item()}
    if version("pytorch-msssim"):
        msssim = importlib.import_module("pytorch_msssim")
        values["pytorch-msssim"] = msssim.ms_ssim(y, x, data_range=1.0).item()
    grey = x.mean()
    flat_x, flat_y = (grey + 0.25 * (z - grey) for z in (x, y))
    right = measure(flat_y, flat_x, data_range=1.0).item()
    unsaid = measure(flat_y, flat_x).item()
    said = ", ".join(f"{name} {value:.5f}" for name, value in values.items())
    said += f"; at a quarter of the contrast {right:.4f}, without data_range {unsaid:.4f}"
    return abs(right - unsaid) > 0.001, said


@row("ms-ssim-autocast", "torchmetrics", "torch")
def autocast(photographs: Sequence[Pixels]) -> Found:
    import torch
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure as measure,
    )

    x, _ = batches(photographs)
    with torch.autocast("cpu", torch.bfloat16):
        value = measure(x, x, data_range=1.0).item()
    return abs(value - 1) > 1e-3, f"a picture with itself has {value:.4f}"


@row("ssim-conventions", "scikit-image")
def ssim(photographs: Sequence[Pixels]) -> Found:
    from skimage.metrics import structural_similarity as measure

    picture = photographs[0]
    pair = picture, distorted(picture)
    plain = float(measure(*pair, channel_axis=-1))
    gauss = float(
        measure(
            *pair, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )
    return abs(plain - gauss) > 1e-3, f"scikit-image's default {plain:.4f}, Gaussian {gauss:.4f}"


@row("psnr-hvsm-identical", "psnr-hvsm")
def hvsm(photographs: Sequence[Pixels]) -> Found:
    measure = importlib.import_module("psnr_hvsm").psnr_hvs_hvsm
    luma = crop(photographs[0])[..., 1] / 255.0
    same, near = (float(measure(luma, luma + shift)[0]) for shift in (0, 1e-9))
    return same < near, f"identical pictures {same:.1f} dB, pictures 1e-9 apart {near:.1f}"


@row("ssimulacra2", "ssimulacra2")
def ssimulacra2(photographs: Sequence[Pixels]) -> Found:
    module = importlib.import_module("ssimulacra2")
    picture = crop(photographs[0])
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, name)) for name in ("a.png", "b.png")]
        for path, pixels in zip(paths, (picture, distorted(picture)), strict=True):
            Image.fromarray(pixels).save(path)
        there = module.compute_ssimulacra2(*paths)
        back = module.compute_ssimulacra2(*reversed(paths))
    return there != back, f"{there:.2f} in one order, {back:.2f} in the other"


# BD-rate


@row("bd-rate-of-a-fall", "bjontegaard")
def bd_rate(photographs: Sequence[Pixels]) -> Found:
    del photographs
    measure = importlib.import_module("bjontegaard").bd_rate
    rates, quality = [0.1, 0.2, 0.4, 0.8, 1.6], [28.0, 31.0, 34.0, 37.0, 40.0]
    fallen, better = [29.0, 32.0, 30.5, 38.0, 41.0], [29.0, 32.0, 35.0, 38.0, 41.0]
    found: dict[str, str] = {}
    for method in ("cubic", "pchip", "akima"):
        try:
            value = measure(rates, quality, rates, fallen, method=method)
        except (ValueError, AssertionError):
            found[method] = "refuses"
        else:
            found[method] = f"{value:.0f} %"
    right = measure(rates, quality, rates, better, method="pchip")
    said = f"of a curve with one fall: {found}; without the fall {right:.0f} %"
    return found["cubic"] != "refuses" and found["pchip"] == "refuses", said


# Logging and sweeps


@row("wandb-floats", "wandb")
def wandb_floats(photographs: Sequence[Pixels]) -> Found:
    wandb = importlib.import_module("wandb")
    picture = crop(photographs[0], 64)
    brightest = {}
    for name, pixels in (("uint8", picture), ("floats in 0..1", picture / 255)):
        image = wandb.Image(pixels)
        brightest[name] = int(np.asarray(image.image).max())
    said = ", ".join(f"{name}: largest value saved {value}" for name, value in brightest.items())
    return brightest["floats in 0..1"] <= 1 < brightest["uint8"], said


@row("hydra-values", "hydra-core")
def hydra_values(photographs: Sequence[Pixels]) -> Found:
    del photographs
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    single, swept = parser.parse_overrides(["lr=1e-3", "share=range(0,1,0.1)"])
    several = parser.parse_override("lr=1e-3,1")
    in_sweep = next(str(value) for value in several.sweep_string_iterator())
    shares = [str(value) for value in swept.sweep_string_iterator()]
    odd = [value for value in shares if len(value) > 3]
    alone = str(single.input_line).partition("=")[2]
    said = f"lr=1e-3 is {alone!r} alone and {in_sweep!r} in a sweep;"
    return in_sweep != "1e-3" or bool(odd), f"{said} range(0,1,0.1) has {odd}"


@row("optuna-nan", "optuna")
def optuna_nan(photographs: Sequence[Pixels]) -> Found:
    del photographs
    optuna = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    complete = optuna.trial.TrialState.COMPLETE
    try:
        study.tell(study.ask(), float("nan"), complete)
    except ValueError as error:
        return True, f"a complete trial with NaN raises: {error}"
    return False, "a complete trial may have NaN"


# Training


@row("lightning-ema", "lightning")
def lightning_ema(photographs: Sequence[Pixels]) -> Found:
    del photographs
    import torch
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
    from lightning.pytorch.demos.boring_classes import BoringModel

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            default_root_dir=folder,
            accelerator="cpu",
            max_steps=5,
            limit_val_batches=0,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[
                EMAWeightAveraging(decay=0.9),
                ModelCheckpoint(folder, filename="a", every_n_train_steps=4),
            ],
        )
        trainer.fit(BoringModel())
        saved = torch.load(Path(folder, "a.ckpt"), weights_only=True)
    raw = saved.get("current_model_state")
    differs = raw is not None and not torch.equal(
        raw["layer.weight"], saved["state_dict"]["layer.weight"]
    )
    said = "state_dict is the average, current_model_state what is trained"
    return differs, said if differs else f"a checkpoint has {sorted(saved)}"


@row("torch-bits", "torch")
def torch_bits(photographs: Sequence[Pixels]) -> Found:
    del photographs
    import torch

    torch.manual_seed(0)
    x = torch.randn(1001)
    unequal = int((torch.sigmoid(x)[::2] != torch.sigmoid(x[::2])).sum())
    draws = []
    for count in (16, 15):
        torch.manual_seed(0)
        draws.append(torch.randn(count)[:15])
    conv, image = torch.nn.Conv2d(32, 32, 3), torch.randn(1, 32, 32, 32)
    plain = conv(image)
    conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    last = conv(image.contiguous(memory_format=torch.channels_last))
    said = f"sigmoid(x)[::2] and sigmoid(x[::2]) differ in {unequal} of 501; "
    said += f"randn(16)[:15] {'==' if torch.equal(*draws) else '!='} randn(15); channels_last "
    said += "gives the same bits" if torch.equal(plain, last) else "gives other bits"
    return not torch.equal(*draws), said


@row("constriction-accounts", "constriction")
def constriction_accounts(photographs: Sequence[Pixels]) -> Found:
    del photographs
    queue = importlib.import_module("constriction").stream.queue
    model = importlib.import_module("constriction").stream.model
    symbols = np.random.default_rng(0).integers(0, 2, 1000).astype(np.int32)
    coin = model.Categorical(np.array([0.9, 0.1], np.float32), perfect=False)
    encoder = queue.RangeEncoder()
    encoder.encode(symbols, coin)
    decoder = queue.RangeDecoder(encoder.get_compressed())
    early = 1000
    for k in range(1000):
        decoder.decode(coin)
        if decoder.maybe_exhausted():
            early = k
            break
    impossible = model.Categorical(np.array([1.0, 0.0], np.float32), perfect=False)
    encoder = queue.RangeEncoder()
    encoder.encode(np.ones(100, np.int32), impossible)
    said = f"maybe_exhausted() is true {999 - early} symbols before the end; "
    return (
        early < 999,
        said + f"a symbol of probability 0 costs {encoder.num_bits() / 100:.1f} bits",
    )


@row("safetensors-metadata", "safetensors")
def safetensors_metadata(photographs: Sequence[Pixels]) -> Found:
    del photographs
    from safetensors.numpy import save

    tensors = {"x": np.zeros(1, np.float32)}
    counts = []
    for keys in ("a", "abcdef"):
        files = {
            hashlib.sha256(save(tensors, dict.fromkeys(keys, "1"))).digest() for _ in range(20)
        }
        counts.append(len(files))
    said = f"20 times the same: {counts[0]} file with one key, {counts[1]} with six"
    return counts[0] == 1 < counts[1], said


if __name__ == "__main__":
    sys.exit(main())
