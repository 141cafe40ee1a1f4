"""A server on a file: ranges, the page, and what it does not serve."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rnncodec.commands import serve
from rnncodec.commands.serve import listening, requested_range
from rnncodec.errors import BitstreamError, ConfigError

GOLDEN = Path("tests/golden/rgb.rnc")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "dist" / "codec").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<title>page</title>")
    (tmp_path / "dist" / "codec" / "kernels.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "dist"


@pytest.fixture
def server(page: Path) -> Iterator[http.client.HTTPConnection]:
    with serving(page, None) as connection:
        yield connection


@contextmanager
def serving(page: Path, throttle: float | None) -> Iterator[http.client.HTTPConnection]:
    with listening(GOLDEN, 0, page, throttle) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        yield connection
        connection.close()
        server.shutdown()
        thread.join()


def get(
    server: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    server.request(method, path, headers=headers)
    answer = server.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def test_the_file_and_the_page(server) -> None:
    status, headers, body = get(server, "/file.rnc")
    assert (status, body) == (200, GOLDEN.read_bytes())
    assert headers["Content-Type"] == "image/x-rnc"
    assert headers["Accept-Ranges"] == "bytes"
    status, headers, body = get(server, "/?file=file.rnc")
    assert (status, body) == (200, b"<title>page</title>")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "'wasm-unsafe-eval'" in headers["Content-Security-Policy"]
    assert get(server, "/codec/kernels.wasm")[1]["Content-Type"] == "application/wasm"
    status, headers, body = get(server, "/file.rnc", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "313", b"")


def test_ranges(server) -> None:
    data = GOLDEN.read_bytes()
    status, headers, body = get(server, "/file.rnc", Range="bytes=0-99")
    assert (status, headers["Content-Range"], body) == (206, "bytes 0-99/313", data[:100])
    assert get(server, "/file.rnc", Range="bytes=300-")[2] == data[300:]
    assert get(server, "/file.rnc", Range="bytes=-5")[2] == data[-5:]
    status, headers, _ = get(server, "/file.rnc", Range="bytes=313-")
    assert (status, headers["Content-Range"]) == (416, "bytes */313")


@pytest.mark.parametrize("header", [None, "lines=1-2", "bytes=", "bytes=a-b", "bytes=1-2,4-5"])
def test_what_is_no_range_asks_for_everything(header: str | None) -> None:
    assert requested_range(header, 10) == (0, 10)


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/none", "/a%00b", "//etc/passwd"]
)
def test_nothing_beyond_the_page_is_served(server, path: str) -> None:
    status, _, body = get(server, path)
    assert status == 404
    assert b"secret" not in body.replace(path.encode(), b"")


def test_a_name_of_another_site_is_not_served(server) -> None:
    assert get(server, "/file.rnc", Host="example.org:80")[0] == 403


def test_a_rate_spreads_the_file_over_time(page: Path, monkeypatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(serve, "sleep", waits.append)
    with serving(page, 2.0) as server:
        assert get(server, "/file.rnc")[2] == GOLDEN.read_bytes()
        get(server, "/codec/kernels.wasm")  # not slowed down
    assert sum(waits) == pytest.approx(313 / 2000)


def test_what_cannot_be_served(page: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make web"):
        listening(GOLDEN, 0, tmp_path, None)
    bad = tmp_path / "bad.rnc"
    bad.write_bytes(b"no")
    with pytest.raises(BitstreamError, match="not an rnc file"):
        listening(bad, 0, page, None)
