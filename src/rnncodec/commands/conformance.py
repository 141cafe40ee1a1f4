"""`rnncodec conformance`: a decoder, ours or another, on files that say what they must give."""

import gzip
import hashlib
import json
import shlex
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from rnncodec.errors import BitstreamError, ConfigError, DataError, ModelError, RNNCodecWarning

MANIFEST = "manifest.json"
FORMAT = 1
SECONDS = 600
"""What a decoder may take for one file."""
CLASSES = ("foreign", "newer", "incomplete", "damaged", "model")


class Outcome(NamedTuple):
    """What a decoder made of a file: codes, a byte each, and pixels; or the class of its error."""

    codes: bytes = b""
    pixels: NDArray[np.uint8] | None = None
    error: str = ""
    message: str = ""


Decoder = Callable[[Path, Path, Path], Outcome]
"""Model file, file, an empty folder -> what it made of it."""


def conformance(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help=f"A folder with a {MANIFEST}: tests/golden.")
    ],
    decoder: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run as COMMAND MODEL FILE CODES PIXELS. It writes the codes to CODES, a byte "
            "each (iteration, row, column, bit: 0, 1, or 2 where none is sent), the picture to "
            "PIXELS, as binary PPM or PGM, and exits with 0; or it writes CLASS: MESSAGE to "
            "standard error, as a class of FORMAT.md, and exits with another status. Default: "
            "rnncodec itself.",
        ),
    ] = None,
) -> None:
    """Hold a decoder against conformance files: codes, pixels to a level, classes of error."""
    entries = read_manifest(folder)
    run = ours if decoder is None else external(shlex.split(decoder))
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        plain = cache(lambda name: unpacked(folder / name, Path(temporary)))
        for number, entry in enumerate(entries):
            place = Path(temporary, str(number))
            place.mkdir()
            outcome = run(plain(entry["model"]), folder / entry["file"], place)
            fault = difference(entry, outcome, folder)
            failed += bool(fault)
            typer.echo(
                f"{'FAIL' if fault else 'ok  '} {entry['file']}  {fault or entry['exercises']}"
            )
    typer.echo(f"{len(entries) - failed} of {len(entries)} files are as they must be")
    raise typer.Exit(1 if failed else 0)


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The entries of a manifest.

    Raises:
        DataError: it cannot be read, or is none.
        ConfigError: it is of a newer version.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, entries = found["format"], list(found["files"])
        for entry in entries:
            wanted = ("error",) if "error" in entry else ("iterations", "codes_sha256", "pixels")
            missing = {"file", "model", "exercises", *wanted} - set(entry)
            if missing:
                raise KeyError(*missing)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no manifest of conformance files ({error!r})") from error
    if version != FORMAT:
        raise ConfigError(f"{path}: format {version}, expected {FORMAT}; upgrade rnncodec")
    return entries


def unpacked(model: Path, folder: Path) -> Path:
    """A model file that may be compressed, as a plain one."""
    if model.suffix != ".gz":
        return model
    plain = folder / model.stem
    try:
        plain.write_bytes(gzip.decompress(model.read_bytes()))
    except (OSError, EOFError) as error:
        raise DataError(f"{model}: cannot be read ({error})") from error
    return plain


def difference(entry: dict[str, Any], outcome: Outcome, folder: Path) -> str:
    """What is wrong with an outcome; empty if nothing is."""
    expected = entry.get("error", "")
    if outcome.error != expected:
        got = f"error {outcome.error} ({outcome.message})" if outcome.error else "no error"
        return f"expected {f'error {expected}' if expected else 'a picture'}, got {got}"
    if expected:
        return ""
    if hashlib.sha256(outcome.codes).hexdigest() != entry["codes_sha256"]:
        return f"the codes differ ({len(outcome.codes)} bytes)"
    with Image.open(folder / entry["pixels"]) as image:
        wanted = np.asarray(image).astype(int)
    assert outcome.pixels is not None
    if outcome.pixels.shape != wanted.shape:
        return f"the picture is {outcome.pixels.shape}, expected {wanted.shape}"
    most = int(np.abs(outcome.pixels.astype(int) - wanted).max())
    return f"pixels differ by up to {most} levels, expected at most 1" if most > 1 else ""


def ours(model: Path, file: Path, folder: Path) -> Outcome:
    """What this program makes of a file."""
    data = file.read_bytes()
    try:
        codec = loaded(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RNNCodecWarning)  # cut files
            codes, image = codec.decode_codes(data), codec.decode(data)
    except BitstreamError as error:
        more = error.offset == 7 and "its model has" in error.message
        return Outcome(error="model" if more else error.kind, message=str(error))
    except ModelError as error:
        return Outcome(error="model", message=str(error))
    return Outcome(codes.tobytes(), np.asarray(image))


@cache
def loaded(model: Path) -> Any:
    """The codec of a model file."""
    from rnncodec.codec import load

    return load(model)


def external(command: list[str]) -> Decoder:
    """A decoder that is a program.

    Raises:
        ConfigError: no command.
    """
    if not command:
        raise ConfigError("--decoder: expected a command")

    def run(model: Path, file: Path, folder: Path) -> Outcome:
        codes, pixels = folder / "codes", folder / "pixels.pnm"
        try:
            ended = subprocess.run(
                [*command, model, file, codes, pixels],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=SECONDS,
                check=False,
            )
        except OSError as error:
            raise ConfigError(
                f"--decoder: {command[0]} cannot be run ({error.strerror})"
            ) from error
        except subprocess.TimeoutExpired:
            return Outcome(error="none", message=f"no answer within {SECONDS} s")
        if ended.returncode:
            text = ended.stderr.decode("utf-8", "replace").strip()
            last = text.splitlines()[-1] if text else f"exit status {ended.returncode}"
            kind, _, rest = last.partition(":")
            return (
                Outcome(error=kind, message=rest)
                if kind in CLASSES
                else Outcome(error="none", message=last)
            )
        try:
            with Image.open(pixels, formats=["PPM"]) as image:
                return Outcome(codes.read_bytes(), np.asarray(image))
        except (OSError, ValueError) as error:
            return Outcome(error="none", message=f"what it wrote cannot be read ({error})")

    return run
