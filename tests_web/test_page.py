"""What a person does with the page: opens files, moves the slider, zooms, stops a download."""

import contextlib
import gzip
import http.server
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests_web.conftest import GOLDEN, Isolating, opened, served

FIRST = "set/gru_resnet.safetensors.gz"


@pytest.fixture(autouse=True, scope="session")
def models(folder: Path) -> None:
    """The model of the golden files, where the page looks for it."""
    name = "5da1014c22b2352f8c6ba29873935a2a.safetensors"
    shutil.copyfile(GOLDEN / "model.safetensors", folder / "models" / name)


def state(page: Page, wanted: str) -> None:
    page.wait_for_selector(f'#viewer[data-state="{wanted}"]')


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.locator("#choose").set_input_files(GOLDEN / name)


def canvas(page: Page) -> str:
    return page.locator("#picture").evaluate("(canvas) => canvas.toDataURL()")


def test_a_chosen_file_is_shown_iteration_by_iteration(page: Page) -> None:
    choose(page, "rgb.rnc")
    state(page, "done")
    expect(page.locator("#shown")).to_have_text("3 of 3")
    expect(page.locator("#bytes")).to_have_text("313")
    expect(page.locator("#size")).to_have_text("90 × 64")
    last = canvas(page)
    page.locator("#iteration").focus()
    page.keyboard.press("Home")
    expect(page.locator("#shown")).to_have_text("1 of 3")
    assert canvas(page) != last
    expect(page.locator("#follow")).not_to_be_checked()
    page.locator("#stage").focus()
    page.keyboard.press("]")
    page.keyboard.press("]")
    expect(page.locator("#shown")).to_have_text("3 of 3")
    assert canvas(page) == last


def test_the_details_name_the_threads(page: Page, isolated: Page) -> None:
    cores = min(8, isolated.evaluate("navigator.hardwareConcurrency"))
    for kind, threads in ((page, 1), (isolated, cores)):
        for name in ("rgb.rnc", "tiled.rnc"):  # the second file has threads of its own
            choose(kind, name)
            state(kind, "done")
            words = "1 thread" if threads == 1 else f"{threads} threads"
            expect(kind.locator("#time")).to_contain_text(f" s, {words}")


class Threadless(Isolating):
    """An isolating server that lacks the script of the threads."""

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        if self.path.endswith("/thread.js"):
            self.send_error(404)
        else:
            super().do_GET()


def test_where_threads_cannot_start_there_is_one(browser: Browser, folder: Path) -> None:
    for site in served(folder, Threadless):
        context = browser.new_context()
        page = context.new_page()  # the browser itself complains about the missing script
        page.set_default_timeout(120_000)
        page.goto(site)
        choose(page, "rgb.rnc")
        state(page, "done")
        expect(page.locator("#time")).to_contain_text(" s, 1 thread")
        expect(page.locator("#time")).not_to_contain_text("threads")
        context.close()


def test_the_picture_can_be_zoomed_and_moved(page: Page) -> None:
    choose(page, "rgb.rnc")
    state(page, "done")
    stage = page.locator("#stage")
    place = page.locator("#picture")
    whole = place.evaluate("(c) => c.style.transform")
    scale = float(stage.get_attribute("data-scale") or 0)
    page.locator("#larger").click()
    assert float(stage.get_attribute("data-scale") or 0) == pytest.approx(1.5 * scale, rel=0.01)
    stage.focus()
    before = place.evaluate("(c) => c.style.transform")
    page.keyboard.press("ArrowRight")
    assert place.evaluate("(c) => c.style.transform") != before
    box = stage.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, -200)
    page.wait_for_function(
        f"Number(document.querySelector('#stage').dataset.scale) > {1.6 * scale}"
    )
    page.keyboard.press("0")
    assert place.evaluate("(c) => c.style.transform") == whole


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("set/broken-png.rnc", "not an rnc file"),
        ("set/broken-header-crc.rnc", "damaged"),
        ("set/broken-colour.rnc", "newer version"),
        ("set/broken-header-cut.rnc", "ends inside its header"),
    ],
)
def test_a_bad_file_gives_one_message(page: Page, name: str, words: str) -> None:
    choose(page, name)
    state(page, "error")
    expect(page.get_by_role("alert")).to_contain_text(words)
    choose(page, "pixel.rnc")
    state(page, "done")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_damage_in_a_later_iteration_leaves_those_before_it(page: Page) -> None:
    data = bytearray((GOLDEN / "rgb.rnc").read_bytes())
    data[-5] ^= 1
    payload = {"name": "torn.rnc", "mimeType": "image/x-rnc", "buffer": bytes(data)}
    page.locator("#choose").set_input_files(payload)  # type: ignore[arg-type]
    state(page, "error")
    expect(page.get_by_role("alert")).to_contain_text("Iteration 3 is damaged")
    expect(page.locator("#shown")).to_have_text("2 of 3")


def test_a_file_without_a_whole_iteration_has_no_picture(page: Page) -> None:
    data = (GOLDEN / "rgb.rnc").read_bytes()[:60]
    payload = {"name": "cut.rnc", "mimeType": "image/x-rnc", "buffer": data}
    page.locator("#choose").set_input_files(payload)  # type: ignore[arg-type]
    state(page, "error")
    expect(page.get_by_role("alert")).to_contain_text("ends before its first iteration")
    expect(page.locator("#picture")).to_be_hidden()


def test_a_cut_file_says_so(page: Page) -> None:
    data = (GOLDEN / "rgb.rnc").read_bytes()[:-3]
    payload = {"name": "cut.rnc", "mimeType": "image/x-rnc", "buffer": data}
    page.locator("#choose").set_input_files(payload)  # type: ignore[arg-type]
    state(page, "done")
    expect(page.locator("#status")).to_contain_text("2 of its 3 iterations")


def test_a_model_can_be_dropped(browser: Browser, site: str, tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(gzip.decompress((GOLDEN / FIRST).read_bytes()))
    context = browser.new_context()
    page = context.new_page()  # its complaint about the missing model is expected
    page.set_default_timeout(120_000)
    page.goto(site)
    choose(page, "set/pixel.rnc")
    state(page, "error")
    expect(page.get_by_role("alert")).to_contain_text("which this page does not have")
    page.locator("#choose").set_input_files(model)
    expect(page.locator("#status")).to_contain_text("is ready")
    choose(page, "set/pixel.rnc")
    state(page, "done")
    expect(page.locator("#shown")).to_have_text("4 of 4")
    context.close()


class Slow(http.server.SimpleHTTPRequestHandler):
    """Sends a .rnc file's last bytes only when it is told to."""

    go_on = threading.Event()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".rnc":
            super().do_GET()
            return
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:-40])
        self.wfile.flush()
        self.go_on.wait(60)
        with contextlib.suppress(OSError):
            self.wfile.write(data[-40:])


@pytest.fixture
def slow(folder: Path) -> Iterator[str]:
    Slow.go_on.clear()

    def handler(*args: object) -> Slow:
        return Slow(*args, directory=str(folder))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        Slow.go_on.set()
        server.shutdown()


def test_a_file_is_shown_while_it_is_downloaded(browser: Browser, slow: str) -> None:
    for page in opened(browser, f"{slow}?file=golden/rgb.rnc"):
        page.wait_for_selector('#viewer[data-shown="2"]')
        expect(page.locator("#viewer")).to_have_attribute("data-state", "open")
        Slow.go_on.set()
        state(page, "done")
        expect(page.locator("#shown")).to_have_text("3 of 3")


def test_a_download_can_be_stopped(browser: Browser, slow: str) -> None:
    for page in opened(browser, f"{slow}?file=golden/rgb.rnc"):
        page.wait_for_selector('#viewer[data-shown="2"]')
        page.get_by_role("button", name="Stop here").click()
        state(page, "done")
        expect(page.locator("#status")).to_contain_text("2 of its 3 iterations")
        Slow.go_on.set()


def test_an_address_of_another_host_is_refused_by_the_page(browser: Browser, site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.goto(f"{site}?file=http://127.0.0.2:9/a.rnc")
    state(page, "error")
    expect(page.get_by_role("alert")).to_contain_text("cannot be downloaded")
    time.sleep(0.1)
    finished = [url for url in asked if not url.startswith(site)]
    assert len(finished) <= 1  # blocked before it leaves: asked for, never finished
    context.close()


def test_phone_and_dark_mode(phone: Page, dark: Page) -> None:
    for page in (phone, dark):
        choose(page, "grey.rnc")
        state(page, "done")
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide
    paper = dark.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper != phone.evaluate("getComputedStyle(document.body).backgroundColor")
