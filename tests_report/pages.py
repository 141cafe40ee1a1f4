"""What tests ask of the page and do to it."""

import base64
import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

DARKEST = [0, 0, 4]
"""The colour of no error."""


def canvas(page: Page, side: str) -> NDArray[np.uint8]:
    """The pixels of one side of the viewer, (H, W, 3)."""
    address = page.locator(f"#{side}-picture").evaluate("(c) => c.toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB"))


def looks(page: Page, selector: str) -> str:
    """A hash of what can be seen of an element."""
    shot = Image.open(io.BytesIO(page.locator(selector).screenshot()))
    return hashlib.sha256(shot.tobytes()).hexdigest()


def switch(page: Page, name: str, value: str) -> None:
    """Click one of a row of buttons."""
    page.locator(f'label:has(input[name="{name}"][value="{value}"])').click()


def shown(page: Page, *words: str) -> None:
    """Wait until the viewer shows this."""
    page.wait_for_function(
        "(words) => words.every((word) => document.querySelector('#stage').dataset.shown"
        ".includes(word))",
        arg=list(words),
    )


def iterate(page: Page, k: int) -> None:
    """Move the slider to an iteration by keyboard."""
    slider = page.locator("#iteration")
    slider.focus()
    slider.press("Home")
    for _ in range(k - 1):
        slider.press("ArrowRight")
    shown(page, f" {k} ")


def series(page: Page) -> list[str]:
    """The names of the drawn curves."""
    return page.evaluate(
        "[...document.querySelectorAll('#chart .series')].map((g) => g.dataset.series)"
    )


def curve(page: Page, name: str) -> str:
    """The path of a drawn curve."""
    return page.evaluate(
        """(name) => [...document.querySelectorAll('#chart .series')]
        .find((g) => g.dataset.series === name).querySelector('.curve').getAttribute('d')""",
        name,
    )
