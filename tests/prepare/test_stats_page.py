import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.prepare.conftest import SMALL

from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files
from rnncodec.prepare.stats_page import histogram, picture, write_page


class Addresses(HTMLParser):
    """Everything that a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    from tests.prepare.conftest import paint

    root = tmp_path_factory.mktemp("page") / "album<b>caf\udce9"  # bytes that are no UTF-8
    root.mkdir()
    for number in range(12):
        paint(number).save(root / f"{number}.png")
    folder = tmp_path_factory.mktemp("set")
    prepare(Files(root), folder, Settings(**SMALL))
    return write_page(folder).read_text()


def test_it_needs_nothing_beside_it(page: str):
    parser = Addresses()
    parser.feed(page)
    assert len(parser.found) == 3
    assert all(address.startswith("data:image/png;base64,") for address in parser.found)
    assert "prefers-color-scheme:dark" in page
    assert "<script" not in page


def test_it_is_made_for_phones_too(page: str):
    assert '<meta name=viewport content="width=device-width,initial-scale=1">' in page
    assert page.index("<meta") < page.index("<style>") < page.index("<h1>")


def test_names_are_escaped(page: str):
    assert "album&lt;b&gt;" in page
    assert "album<b>" not in page
    assert r"album&lt;b&gt;caf\xe9;" in page


def test_bars_add_up():
    values = np.random.default_rng(0).integers(100, 3000, 500)
    heights = [float(h) for h in re.findall(r'height="([\d.]+)"', histogram(values))]
    counts, _ = np.histogram(values, bins=64)
    assert np.allclose(np.array(heights) / 180, counts / counts.max(), atol=1e-3)


def test_the_picture_holds_the_tiles():
    tiles = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)
    data = re.search(r"base64,([^\"]+)", picture(tiles, "tiles"))[1]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert sheet.shape == (32, 256, 3)
    assert np.array_equal(sheet[16:, 48:64], tiles[19])


def test_of_no_set(tmp_path: Path):
    from rnncodec.errors import DataError

    with pytest.raises(DataError, match="tiles are made with"):
        write_page(tmp_path)
