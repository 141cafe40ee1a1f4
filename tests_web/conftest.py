"""The page of `web/`, built, on a server of the test's own, in headless Chromium."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from scripts.build_web import build

FLAGS = [
    "--no-sandbox",  # continuous integration runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A plain static server."""

    def log_message(self, *_: object) -> None:
        pass


class Isolating(Quiet):
    """A static server whose pages may have threads."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built page, with the golden files beside it."""
    folder = tmp_path_factory.mktemp("web") / "dist"
    build(folder)
    shutil.copytree(GOLDEN, folder / "golden")
    return folder


@pytest.fixture(scope="session")
def site(folder: Path) -> Iterator[str]:
    """Its address."""
    yield from served(folder, Quiet)


@pytest.fixture(scope="session")
def isolated_site(folder: Path) -> Iterator[str]:
    """Its address on a server that isolates it, as `rnncodec serve` does."""
    yield from served(folder, Isolating)


def served(folder: Path, kind: type[Quiet]) -> Iterator[str]:
    handler = functools.partial(kind, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    executable = shutil.which("chromium")
    assert executable, "no chromium in PATH; run: make test-web"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, site: str, **settings: object) -> Iterator[Page]:
    """The page, which must neither complain nor ask another host for anything."""
    context = browser.new_context(**settings)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(120_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url[:120]))
    page.goto(site)
    yield page
    context.close()
    host = site.partition("?")[0]
    assert [text for text in complaints if not text.startswith(host)] == []


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """On a desktop."""
    yield from opened(browser, site, viewport={"width": 1280, "height": 900})


@pytest.fixture
def isolated(browser: Browser, isolated_site: str) -> Iterator[Page]:
    """On a desktop, with threads."""
    yield from opened(browser, isolated_site, viewport={"width": 1280, "height": 900})


@pytest.fixture
def phone(browser: Browser, site: str) -> Iterator[Page]:
    """On a small phone."""
    small = {"width": 360, "height": 740}
    yield from opened(browser, site, viewport=small, is_mobile=True, has_touch=True)


@pytest.fixture
def dark(browser: Browser, site: str) -> Iterator[Page]:
    """In dark mode."""
    yield from opened(browser, site, color_scheme="dark")
