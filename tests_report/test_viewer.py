import csv
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page
from tests_report.pages import DARKEST, canvas, iterate, looks, shown, switch


def test_the_slider_changes_both_pictures(page: Page):
    iterate(page, 1)
    first = {side: canvas(page, side) for side in ("left", "right")}
    seen = looks(page, "#stage")
    iterate(page, 4)
    assert all((canvas(page, side) != first[side]).any() for side in first)
    assert looks(page, "#stage") != seen
    assert page.locator("#iteration-value").text_content() == "4 of 4"


def test_the_figures_are_those_of_the_table(page: Page, evaluation: Path):
    with (evaluation / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = {
            (row["codec"], row["image"], row["iteration"]): row for row in csv.DictReader(file)
        }
    page.locator("#image").select_option(label="portrait")
    shown(page, "portrait")
    for k in (1, 3):
        iterate(page, k)
        row = rows["untrained", "portrait", str(k)]
        told = page.locator("#left-facts").text_content()
        assert told.startswith(f"{int(row['bytes']):,} bytes · {float(row['bpp']):.3f} bpp · ")
        assert f"PSNR {float(row['psnr_rgb']):.2f} dB" in told


@pytest.mark.parametrize("codec", ["jpeg-420", "webp", "avif"])
def test_the_other_side_takes_no_more_bytes_or_says_so(page: Page, codec: str):
    page.locator("#right").select_option(codec)
    for k in (1, 4):
        iterate(page, k)
        shown(page, codec)
        ours, others = (
            int(page.locator(f"#{side}-facts b").text_content().split()[0].replace(",", ""))
            for side in ("left", "right")
        )
        larger = "its smallest" in page.locator("#right-facts").text_content()
        assert (others > ours) == larger
        assert "cannot show" not in page.locator("#right-facts").text_content()


def test_choosing_an_image_shows_it(page: Page):
    assert page.locator("#image option").all_text_contents() != []
    shapes = set()
    for name in ("flowers & <i>leaves", "portrait"):
        page.locator("#image").select_option(label=name)
        shown(page, name)
        shapes.add(canvas(page, "left").shape)
    assert shapes == {(192, 208, 3), (224, 192, 3)}


def divided(page: Page) -> tuple[float, float]:
    """Where the line is, as a part of the picture, and where the left picture ends."""
    picture = page.locator("#left-picture").bounding_box()
    line = page.locator("#divider").bounding_box()
    clip = page.locator("#left-picture").evaluate("(c) => c.style.clipPath")
    sides = clip.removeprefix("inset(").removesuffix(")").split()  # all alike are told once
    cut = float(sides[min(1, len(sides) - 1)].removesuffix("%"))
    middle = line["x"] + line["width"] / 2
    return (middle - picture["x"]) / picture["width"], 1 - cut / 100


def test_the_divider_follows_the_mouse(page: Page):
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.locator("#left-picture").bounding_box()
    before = looks(page, "#stage")
    page.locator("#divider").hover()
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 40, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"], box["y"])  # let go: it stays
    assert divided(page) == pytest.approx((0.8, 0.8), abs=0.01)
    assert page.locator("#divider").get_attribute("aria-valuenow") == "80"
    assert looks(page, "#stage") != before


def test_the_divider_obeys_the_keyboard(page: Page):
    divider = page.locator("#divider")
    divider.focus()
    for key, expected in {
        "Home": 0,
        "PageUp": 10,
        "ArrowRight": 12,
        "ArrowLeft": 10,
        "End": 100,
    }.items():
        divider.press(key)
        assert divider.get_attribute("aria-valuenow") == str(expected)
        assert divided(page) == pytest.approx((expected / 100, expected / 100), abs=0.01)


def test_the_error_is_black_for_the_original_and_comes_with_its_scale(page: Page):
    page.locator("#right").select_option("original")
    switch(page, "show", "error")
    shown(page, "error", "original")
    assert (canvas(page, "right") == DARKEST).all()
    assert page.locator("#scale").is_visible()
    switch(page, "show", "picture")
    shown(page, "picture")
    assert page.locator("#scale").is_hidden()


def test_the_error_is_that_of_the_pictures(page: Page):
    page.locator("#right").select_option("original")
    shown(page, "original")
    ours, original = (canvas(page, side).astype(float) for side in ("left", "right"))
    switch(page, "show", "error")
    shown(page, "error")
    error = np.abs(ours - original).mean(axis=2)
    brightness = canvas(page, "left").sum(axis=2)
    order = np.argsort(error, axis=None)
    assert brightness.flat[order[:200]].mean() < brightness.flat[order[-200:]].mean()
    assert (canvas(page, "left")[error >= 32] == [252, 255, 164]).all()


def test_zoom_enlarges_pixels_and_scrolls(page: Page):
    width = canvas(page, "left").shape[1]
    for zoom, factor in {"1": 1, "2": 2}.items():
        switch(page, "zoom", zoom)
        page.wait_for_function(
            "(w) => document.getElementById('left-picture').getBoundingClientRect().width === w",
            arg=factor * width,
        )
    style = "getComputedStyle(document.getElementById('left-picture')).imageRendering"
    assert page.evaluate(style) == "pixelated"


def test_play_goes_through_the_iterations(page: Page):
    iterate(page, 1)
    page.locator("#play").click()
    assert page.locator("#play").text_content() == "Pause"
    shown(page, " 4 ")
    page.wait_for_function("() => document.getElementById('play').textContent === 'Play'")
