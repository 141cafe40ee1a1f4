import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rnncodec.evaluation.report.page import Report, write_report
from rnncodec.evaluation.report.viewer import ViewerImage, ViewerPicture
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import summarize

HOSTILE = "</script><script>alert(1)</script>&\u2028$script"


def ours(image: str) -> list[Result]:
    return [
        Result("m", f"t={k}", image, k, 99 * k, 0.2 * k, {"psnr_rgb": 20.0 + k}, 1, 1)
        for k in (1, 2, 3)
    ]


def pictures(count: int) -> list[ViewerPicture]:
    return [
        ViewerPicture(f"t={k}", 99 * k, 0.2 * k, None, 20.0, "image/webp", b"w")
        for k in range(count)
    ]


@pytest.fixture
def html(tmp_path: Path) -> str:
    image = ViewerImage(HOSTILE, 16, 16, b"lossless", {"m": pictures(4), "jpeg": pictures(2)})
    rows = ours(HOSTILE)
    report = Report(
        title=f"of {HOSTILE}",
        intro=HOSTILE,
        results=rows,
        summary=summarize(rows),
        images=[image],
        viewer_note=HOSTILE,
        facts={HOSTILE: HOSTILE},
    )
    write_report(tmp_path / "report.html", report)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_names_of_files_stay_text(html: str):
    assert "alert(1)</script>" not in html.replace("&lt;/script&gt;", "")
    assert html.count("<script>") == 1
    blocks = re.findall(r'<script type="application/json" id="([^"]*)">(.*?)</script>', html, re.S)
    data = {name: json.loads(text) for name, text in blocks}
    assert data["curves-data"]["images"] == [HOSTILE]
    assert data["image-0"]["image"] == HOSTILE


def test_the_policy_allows_the_page_s_own_script_and_style_and_nothing_else(html: str):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r'\s(style|on\w+)="', html)


def test_nothing_is_fetched(html: str):
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", html)
    # The name of SVG is the one address in it, and is never asked for anything.
    assert set(re.findall(r"https?://[^\s\"']+", html)) == {"http://www.w3.org/2000/svg"}


def test_the_viewer_opens_near_half_a_bit_per_pixel(html: str):
    index = json.loads(re.search(r'id="viewer-data">(.*?)</script>', html)[1])
    assert index["reference"] == "m"
    assert index["beside"] == "jpeg"
    assert index["start"] == 3  # 0.4 bpp


def test_without_pictures_there_is_no_viewer(tmp_path: Path):
    write_report(tmp_path / "report.html", Report("t", "l", ours("a"), summarize(ours("a"))))
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="curves"' in html
    assert 'id="viewer"' not in html


def test_a_perfect_picture_has_no_decibels(tmp_path: Path):
    perfect = replace(pictures(1)[0], psnr_rgb=math.inf)
    image = ViewerImage("flat", 16, 16, b"lossless", {"m": [perfect]})
    rows = ours("flat")
    write_report(tmp_path / "r.html", Report("t", "l", rows, summarize(rows), images=[image]))
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    (found,) = re.findall(r'id="image-0">(.*?)</script>', text)
    assert json.loads(found)["sides"]["m"][0]["psnr_rgb"] is None
