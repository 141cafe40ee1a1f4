"""A local web server over a folder that fails as it is told to."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class WebServer:
    """Files below `root`. `faults[name]`: what the next requests for a file get instead of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.strip("/")
        self.asked[name] += 1
        fault = self.faults[name].pop(0) if self.faults[name] else ""
        if not (self.root / name).is_file():
            fault = "404"
        if fault.isdecimal():
            handler.send_error(int(fault))
            return
        data = (self.root / name).read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        faulty = {"cut": data[: len(data) // 2], "wrong": bytes(len(data)), "": data}
        handler.wfile.write(faulty[fault])


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: WebServer, *connection: object) -> None:
        self.web = server
        super().__init__(*connection)

    def do_GET(self) -> None:
        self.web.answer(self)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(root: Path) -> Iterator[WebServer]:
    server = WebServer(root)
    thread = threading.Thread(target=partial(server.http.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
