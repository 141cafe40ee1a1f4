import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rnncodec.data.evaluation_sets import KODAK_SHA256, fetch_files, fetch_kodak, kodak_folders
from rnncodec.errors import DataError, StorageError

FILES = {"one.png": b"first" * 5000, "two.png": b"second" * 5000}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


class Server:
    """A local web server: its files, and what has been asked of it."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.asked: list[str] = []
        self.stop_after: int | None = None

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.url = f"http://127.0.0.1:{self.http.server_port}/"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.strip("/")
        self.asked.append(name)
        if name not in self.files:
            handler.send_error(404)
            return
        content = self.files[name]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: self.stop_after])


class Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *connection: object) -> None:
        self.files_of = server
        super().__init__(*connection)

    def do_GET(self) -> None:
        self.files_of.answer(self)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=partial(server.http.serve_forever, poll_interval=0.01))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_arrive(server: Server, tmp_path: Path):
    fetch_files(SUMS, tmp_path / "new" / "set", base_url=server.url)
    assert contents(tmp_path / "new" / "set") == FILES


def test_right_files_are_kept_and_wrong_ones_replaced(server: Server, tmp_path: Path):
    (tmp_path / "one.png").write_bytes(FILES["one.png"])
    (tmp_path / "two.png").write_bytes(b"of an earlier, broken copy")
    fetch_files(SUMS, tmp_path, base_url=server.url)
    assert contents(tmp_path) == FILES
    assert server.asked == ["two.png"]


def test_wrong_bytes_are_refused(server: Server, tmp_path: Path):
    server.files["two.png"] = b"<html>Please sign in</html>"
    with pytest.raises(DataError, match=r"/two\.png: its SHA-256 is \w{12}\.\.\., expected"):
        fetch_files(SUMS, tmp_path, base_url=server.url, pauses=())
    assert contents(tmp_path) == {"one.png": FILES["one.png"]}


def test_broken_transfer_leaves_no_half_file(server: Server, tmp_path: Path):
    server.stop_after = 1000
    with pytest.raises(DataError, match=r"one\.png"):
        fetch_files(SUMS, tmp_path, base_url=server.url, pauses=())
    assert contents(tmp_path) == {}


def test_missing_on_the_server(server: Server, tmp_path: Path):
    del server.files["one.png"]
    with pytest.raises(DataError, match=r"cannot download .*one\.png: the server says 404"):
        fetch_files(SUMS, tmp_path, base_url=server.url, pauses=())
    assert contents(tmp_path) == {}


def test_unreachable_server(tmp_path: Path):
    with socket.socket() as reserved:  # bound but not listening: nobody answers here
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/"
        with pytest.raises(DataError, match="check the connection"):
            fetch_files(SUMS, tmp_path, base_url=url, pauses=())
    assert contents(tmp_path) == {}


def test_destination_that_is_a_file(server: Server, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"one\.png: could not be written"):
        fetch_files(SUMS, tmp_path / "file" / "set", base_url=server.url, pauses=())


def test_kodak_comes_from_the_given_server(server: Server, tmp_path: Path):
    server.files["kodim01.png"] = b"not the lighthouse"
    with pytest.raises(DataError, match=re.escape(f"{server.url}kodim01.png: its SHA-256 is")):
        fetch_kodak(tmp_path, base_url=server.url, pauses=())
    assert server.asked == ["kodim01.png"]


def test_kodak_sums_are_24_different_ones():
    assert list(KODAK_SHA256) == [f"kodim{number:02d}.png" for number in range(1, 25)]
    assert len(set(KODAK_SHA256.values())) == 24
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in KODAK_SHA256.values())


def test_kodak_belongs_first_into_the_data_folder(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RNNCODEC_DATA", str(tmp_path / "data"))
    cache = tmp_path / "cache" / "rnncodec" / "kodak"
    assert kodak_folders() == [tmp_path / "data" / "kodak", cache]
    monkeypatch.delenv("RNNCODEC_DATA")
    assert kodak_folders() == [cache]
