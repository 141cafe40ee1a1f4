import hashlib
import socket
from pathlib import Path

import pytest
from tests.machine.web_server import WebServer, serving

from rnncodec.errors import ConfigError, DataError, StorageError
from rnncodec.machine.download import Expected, check_address, download, is_address

CONTENT = b"a shard" * 50_000
SUM = hashlib.sha256(CONTENT).hexdigest()
RIGHT = Expected(most=10**6, size=len(CONTENT), sha256=SUM)


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a").write_bytes(CONTENT)
    with serving(tmp_path / "web") as server:
        yield server


def fetch(server: WebServer, folder: Path, expected: Expected = RIGHT) -> Path:
    download(f"{server.url}/a", folder / "got" / "b", expected, pauses=(0, 0))
    return folder / "got" / "b"


def nothing_left(folder: Path) -> bool:
    return list((folder / "got").iterdir()) == []


def test_a_file_arrives(server: WebServer, tmp_path: Path):
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert fetch(server, tmp_path, Expected(10**6)).read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["500", "503", "429", "cut", "wrong"])
def test_what_may_pass_is_tried_again(server: WebServer, tmp_path: Path, fault: str):
    server.faults["a"] = [fault, fault]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked["a"] == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("503", r"/a: the server says 503 Service Unavailable; try again later"),
        ("cut", r"it ended 175,000 bytes early"),
        ("wrong", r"its SHA-256 is \w{12}\.\.\., expected \w{12}\.\.\.; it is damaged"),
    ],
)
def test_what_does_not_pass_leaves_nothing(server: WebServer, tmp_path: Path, fault, message):
    server.faults["a"] = [fault] * 3
    with pytest.raises(DataError, match=message):
        fetch(server, tmp_path)
    assert nothing_left(tmp_path)


def test_a_file_shorter_than_it_must_be(server: WebServer, tmp_path: Path):
    with pytest.raises(DataError, match="it ended after 350,000 of 350,001 bytes"):
        fetch(server, tmp_path, Expected(10**6, size=350_001))
    assert nothing_left(tmp_path)


def test_a_cut_file_of_unknown_size(server: WebServer, tmp_path: Path):
    server.faults["a"] = ["cut"] * 3
    with pytest.raises(DataError, match="it ended 175,000 bytes early"):
        fetch(server, tmp_path, Expected(10**6))
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("fault", "message"),
    [("404", "says 404 Not Found; check the address"), ("403", "may be read by anybody")],
)
def test_what_cannot_pass_is_not_tried_again(server: WebServer, tmp_path: Path, fault, message):
    server.faults["a"] = [fault]
    with pytest.raises(DataError, match=message):
        fetch(server, tmp_path)
    assert server.asked["a"] == 1
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("expected", [Expected(1000), Expected(10**6, size=1000)])
def test_more_than_can_be_is_not_taken(server: WebServer, tmp_path: Path, expected: Expected):
    with pytest.raises(DataError, match=r"/a has more than 1,000 bytes"):
        fetch(server, tmp_path, expected)
    assert server.asked["a"] == 1
    assert nothing_left(tmp_path)


def test_nobody_there(tmp_path: Path):
    with socket.socket() as reserved:  # bound but not listening: nobody answers here
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/a"
        with pytest.raises(DataError, match=r"Connection refused.*; check the connection"):
            download(url, tmp_path / "got" / "b", RIGHT, pauses=(0,))
    assert nothing_left(tmp_path)


def test_nowhere_to_write(server: WebServer, tmp_path: Path):
    (tmp_path / "got").touch()
    with pytest.raises(StorageError, match="could not be written"):
        fetch(server, tmp_path)


def test_addresses():
    assert check_address("https://example.org:8080/a/b%20c/") == "https://example.org:8080/a/b%20c"
    assert check_address("http://[::1]:80/a") == "http://[::1]:80/a"
    assert not is_address("file:///etc/passwd")
    assert not is_address(Path("http://host"))


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://host/a?token=secret",
        "http://me:secret@host/a",
        "http://host/a b",
        "http://host/ä",
        "http://host\n/a",
    ],
)
def test_what_is_no_address_is_named_without_its_secrets(url: str):
    with pytest.raises(ConfigError, match=r"expected http\(s\)://SERVER") as caught:
        check_address(url)
    assert "secret" not in str(caught.value)
