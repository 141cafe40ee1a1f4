"""What the tests of all commands share: the entry function, and pictures."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from rnncodec import cli
from rnncodec.data.photos import DemoPhotos


class Done(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsysbinary) -> Callable[..., Done]:
    """Run the real entry function."""

    def run(*arguments: object, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["rnncodec", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsysbinary.readouterr()
        return Done(stopped.value.code, out.decode("latin-1"), err.decode())

    return run


def draw(path: Path, size: tuple[int, int] = (40, 32), mode: str = "RGB", **save: object) -> Path:
    """Save a picture of noise; every path has its own."""
    rng = np.random.default_rng(len(str(path)))
    pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, **save)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Draw a picture under a name in the test's folder."""
    return lambda name="photo.png", *args, **more: draw(tmp_path / name, *args, **more)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A part of a real photograph, with an even and an uneven half."""
    image = next(image for _, image in DemoPhotos("train"))
    Image.fromarray(image[20:110, 180:290]).save(tmp_path / "photograph.png")
    return tmp_path / "photograph.png"
