"""A real evaluation of two pictures by an untrained model, and its page in headless Chromium."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, sync_playwright

from rnncodec.codec import Codec
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.additive import Additive

FLAGS = [
    "--no-sandbox",  # continuous integration runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PUBLISHED = """codec,metric,bpp,value
First & <b>bold</b>,ms_ssim,0.25,0.90
First & <b>bold</b>,ms_ssim,1.5,0.98
Second,ms_ssim,0.25,0.80
Second,ms_ssim,1.5,0.95
"""


def photograph(seed: int, width: int, height: int) -> Image.Image:
    """Coloured noise with large and small structure."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(noise)
    large = np.asarray(image.filter(ImageFilter.GaussianBlur(14)), np.float64)
    small = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), np.float64)
    mixed = 128 + 9 * (large - 128) + 0.8 * (small - 128)
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `rnncodec evaluate` fills."""
    folder = tmp_path_factory.mktemp("evaluation")
    images = folder / "images"
    images.mkdir()
    photograph(0, 208, 192).save(images / "flowers & <i>leaves.png")
    photograph(1, 192, 224).save(images / "portrait.png")
    (images / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    torch.manual_seed(0)
    model = Network(GRU, Additive, width=0.125, iterations=4)
    Codec(Model(model)).save(folder / "untrained.safetensors")
    (folder / "published.csv").write_text(PUBLISHED, encoding="utf-8")
    command = [
        *(str(Path(sys.executable).parent / "rnncodec"), "evaluate"),
        *("--model", str(folder / "untrained.safetensors")),
        *("--images", str(images), "--out", str(folder / "out")),
        *("--baselines", "jpeg-420,webp,avif", "--published", str(folder / "published.csv")),
        *("--anchor", "jpeg-420", "--workers", "1"),
    ]
    ended = subprocess.run(command, check=False)
    assert ended.returncode == 2, "one picture is torn; all others are measured"
    return folder / "out"


@pytest.fixture(scope="session")
def report(evaluation: Path) -> str:
    """The address of the page."""
    return (evaluation / "report.html").as_uri()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    executable = shutil.which("chromium")
    assert executable, "no chromium in PATH; run: make test-report"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, report: str, **settings: object) -> Iterator[Page]:
    """The page, which must neither complain nor ask for anything until it is closed."""
    context = browser.new_context(**settings)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url[:80]))
    page.goto(report)
    complaints.remove(report)  # the one thing that was asked for
    page.wait_for_selector("#stage[data-shown]")
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith("data:image/")] == []


@pytest.fixture
def page(browser: Browser, report: str) -> Iterator[Page]:
    """On a desktop."""
    yield from opened(browser, report, viewport={"width": 1280, "height": 900})


@pytest.fixture
def phone(browser: Browser, report: str) -> Iterator[Page]:
    """On a small phone."""
    small = {"width": 360, "height": 740}
    yield from opened(browser, report, viewport=small, is_mobile=True, has_touch=True)


@pytest.fixture
def dark(browser: Browser, report: str) -> Iterator[Page]:
    """In dark mode, by someone who wants no motion."""
    yield from opened(browser, report, color_scheme="dark", reduced_motion="reduce")
