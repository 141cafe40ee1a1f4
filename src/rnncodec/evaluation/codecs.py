"""What is evaluated: image files, and codecs, our models as their users see them."""

import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np

from rnncodec import bitstream, models, plugins
from rnncodec.codec import Codec, load
from rnncodec.coding.adaptive import StopRule
from rnncodec.coding.latent_optimization import Effort
from rnncodec.data.photos import Photos
from rnncodec.errors import ConfigError, DataError, ModelError
from rnncodec.images.distortion import trained_for
from rnncodec.images.reading import Pixels, find_images
from rnncodec.machine.storage import printable, sha256_of
from rnncodec.models.model_description import parameter_counts, part_name, read_description


@dataclass(frozen=True)
class ImageFile:
    """An image file, and its name in tables."""

    name: str
    path: Path


def images_in(folder: Path) -> list[ImageFile]:
    """Every picture under a folder; DataError if it is missing or holds none."""
    paths = find_images(folder)
    return named(paths, [path.relative_to(folder).as_posix() for path in paths])


def images_of(photos: Photos) -> list[ImageFile]:
    """The files of a set of photographs."""
    return named(photos.paths, photos.names)


def named(paths: Sequence[Path], names: Sequence[str]) -> list[ImageFile]:
    """Files under their names without endings, except where two would have the same."""
    names = [printable(name) for name in names]
    short = [str(PurePosixPath(name).with_suffix("")) for name in names]
    often = Counter([*short, *names])
    return [
        ImageFile(brief if often[brief] == 1 else name, path)
        for path, name, brief in zip(paths, names, short, strict=True)
    ]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal; DataError if it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


@dataclass(frozen=True)
class CodedImage:
    """One picture (uint8 (H, W, 3)) that a codec made of an image.

    ``setting`` is what was asked of it: ``q=40``, ``t=3``; ``iteration`` is that of one of our
    models, None where its rate is adaptive. ``data`` is the file, or the prefix that ends this
    iteration, which was not encoded by itself: its ``encode_s``, in seconds, is None.
    """

    setting: str
    iteration: int | None
    data: bytes
    picture: Pixels
    encode_s: float | None
    decode_s: float


class EvaluatedCodec(Protocol):
    """Anything that turns an image into files and back, in worker processes: it can be pickled."""

    @property
    def name(self) -> str:
        """What tables and pictures call it."""

    @property
    def suffix(self) -> str | None:
        """Of its files, if the last one of each image shall be stored; else None."""

    def identity(self) -> dict[str, Any]:
        """What its results depend on, as plain data: the cache holds them under this."""

    def code(self, image: Pixels) -> Iterator[CodedImage]:
        """Every setting or iteration of one image (H, W, 3); RNNCodecError if it cannot."""


def outside_codecs(names: Sequence[str], own: Collection[str]) -> dict[str, EvaluatedCodec]:
    """The plug-ins among these names, objects or classes of such.

    ConfigError: one has the name of one of ours, or cannot be built.
    """
    found = {}
    for name in names:
        part = plugins.find("baselines", name, is_codec)
        if part is not None:
            plugins.require_new("baselines", name, own)
            with plugins.refusing(f"baseline {name}"):
                found[name] = part() if isinstance(part, type) else part
    return found


def is_codec(value: Any) -> bool:
    """Whether it may be a codec to evaluate, or a class of them."""
    return all(hasattr(value, part) for part in ("name", "suffix", "identity", "code"))


class EvaluatedModel:
    """One of our models: coded once, to its last iteration, and decoded step by step.

    With ``rates`` (bits a pixel, rising) it is coded to each of them, as other codecs are. The
    weights of ``path`` are loaded when they are first needed. Settings are those of
    :meth:`rnncodec.codec.Codec.encode`; the default of effort_for is what the model's own loss
    weighs. With adaptive rates k/8 bpp is not iteration k's rate, so rows carry ``setting`` and no
    ``iteration``. Once every block has stopped, later rows repeat the same file.

    Raises:
        ModelError: not a model file, or damaged.
        ConfigError: more iterations than the model has.
    """

    suffix = ".rnc"

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        iterations: int | None = None,
        device: str = "cpu",
        adaptive: str | None = None,
        effort: int = 0,
        effort_for: str | None = None,
        rates: Sequence[float] = (),
    ) -> None:
        self.name = printable(name)
        self.path = path
        self.device = device
        self.adaptive = adaptive
        self.effort = effort
        self.rates = tuple(rates)
        description, counts = read_description(path), parameter_counts(path)
        network, entropy = description["network"], description["entropy"]
        self.facts = {
            "fingerprint": models.fingerprint_of(path).hex(),
            "iterations": network.get("iterations"),
            "cell": part_name(network.get("cell")),
            "recon": part_name(network.get("recon")),
            "width": network.get("width"),
            "entropy": part_name(entropy) or "none",
            "parameters": counts.get("network", 0),
            "entropy_parameters": counts.get("entropy", 0),
        }
        own = trained_for(description["notes"]) if effort else None
        self.effort_for = effort_for or own
        used = description["plugins"]
        self.outside = [plugins.installed(plugins.origin(each["class"])) for each in used]
        found = [plugins.find(each["group"], each["name"], callable) for each in used]
        self.parts = [part for part in found if part is not None]
        self.file = file_hash(path)
        most = self.facts["iterations"]
        if iterations is not None and not 1 <= iterations <= most:
            raise ConfigError(
                f"iterations={iterations}: {path} was trained for 1..{most}; lower --iterations"
            )
        self.iterations = most if iterations is None else iterations
        self._codec: Codec | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_codec": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        plugins.give(*self.parts)  # a worker process knows what this one was given

    def identity(self) -> dict[str, Any]:
        """Fingerprint, model file, and all settings: the name and the path say nothing.

        The fingerprint names what decodes: models of one may differ in their encoders.
        """
        how: dict[str, Any] = {
            "adaptive": self.adaptive,
            "effort": self.effort,
            "rates": list(self.rates),
        }
        if self.effort_for != "ms_ssim":  # for which all searches were before there was a choice
            how["effort_for"] = self.effort_for
        if self.outside:
            how["plugins"] = self.outside
        return {
            "model": self.facts["fingerprint"],
            "file": self.file,
            "iterations": self.iterations,
            "device": self.device,
            **{setting: value for setting, value in how.items() if value},
        }

    def coding(
        self,
        adaptive: str | None = None,
        effort: int | None = None,
        *,
        effort_for: str | None = None,
        rates: Sequence[float] = (),
    ) -> "EvaluatedModel":
        """The same model with these settings, as a codec of its own; ConfigError for wrong ones.

        They are those of the class; ``adaptive`` as StopRule reads it, ``effort`` at least one.
        """
        name = self.name
        if adaptive is not None:
            StopRule.parse(adaptive)
            name += f"+{adaptive}"
        if effort is not None:
            Effort(effort, effort_for or "ms_ssim")
            name += f"+effort={effort}" + (f"+for={effort_for}" if effort_for else "")
        return EvaluatedModel(
            name + "+bpp" * bool(rates),
            self.path,
            iterations=self.iterations,
            device=self.device,
            adaptive=adaptive,
            effort=effort or 0,
            effort_for=effort_for,
            rates=rates,
        )

    @property
    def codec(self) -> Codec:
        """The codec, loaded; ModelError if its file is damaged, or changed since this was made."""
        if self._codec is None:
            codec = load(self.path, device=self.device)
            if file_hash(self.path) != self.file:
                raise ModelError(f"{self.path}: changed while it was evaluated; start again")
            self._codec = codec
        return self._codec

    def code(self, image: Pixels) -> Iterator[CodedImage]:
        """Every rate, or every iteration, of one image; RNNCodecError if it cannot be coded."""
        for bpp in self.rates:
            data, encode_s = self._encode(image, bpp=bpp)
            start = time.perf_counter()
            picture = np.asarray(self.codec.decode(data, max_pixels=math.inf))
            seconds = time.perf_counter() - start
            yield CodedImage(f"bpp={bpp:g}", None, data, picture, encode_s, seconds)
        if self.rates:
            return
        data, encode_s = self._encode(image, iterations=self.iterations)
        pictures = self.codec.decode_progressive(data, max_pixels=math.inf)
        sizes = bitstream.info(data).segment_bytes
        decode_s, end = 0.0, len(data) - sum(sizes)
        for iteration in range(1, self.iterations + 1):
            if iteration <= len(sizes):
                start = time.perf_counter()
                picture = np.asarray(next(pictures))
                decode_s += time.perf_counter() - start
                end += sizes[iteration - 1]
            nominal = iteration if self.adaptive is None else None
            whole = encode_s if end == len(data) else None
            yield CodedImage(f"t={iteration}", nominal, data[:end], picture, whole, decode_s)

    def _encode(self, image: Pixels, **target: Any) -> tuple[bytes, float]:
        codec = self.codec  # loaded before the clock starts
        start = time.perf_counter()
        how = {"adaptive": self.adaptive, "effort": self.effort, "effort_for": self.effort_for}
        data = codec.encode(image, **how, **target)  # type: ignore[arg-type]
        return data, time.perf_counter() - start


def named_models(
    given: list[str],
    *,
    iterations: int | None,
    device: str,
    taken: Collection[str] = (),
) -> list[EvaluatedModel]:
    """The models of a command line, with names that tell them apart.

    A packaged model has its full name, a file its own, a run's ``model.safetensors`` that of its
    run directory; where two would have one name, or one of those ``taken``, their fingerprints
    are appended (of models that share one, the SHA-256 of their files).

    ModelError: no such model. ConfigError: the same twice; more iterations than one has.
    """
    paths = [models.path_of(each) for each in given]
    found = [
        EvaluatedModel(
            path.resolve().parent.name if path.stem == "model" else path.stem,
            path,
            iterations=iterations,
            device=device,
        )
        for path in paths
    ]
    files = [model.file for model in found]
    prints = [model.facts["fingerprint"] for model in found]
    names = [*(model.name for model in found), *taken]
    for model, fingerprint in zip(found, prints, strict=True):
        if files.count(model.file) > 1:
            raise ConfigError(f"--model {model.path}: given twice, perhaps by two names")
        if names.count(model.name) > 1:
            own = fingerprint if prints.count(fingerprint) == 1 else model.file
            model.name = f"{model.name}-{own[:6]}"
    return found
