"""`rnncodec serve`: the page of `web/` on one file, for browsers on this machine."""

import http.server
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import sleep
from typing import Annotated, ClassVar
from urllib.parse import unquote, urlsplit

import typer

from rnncodec.bitstream import info as describe
from rnncodec.errors import ConfigError, DataError
from rnncodec.validation import check_number

HOST = "127.0.0.1"
FILE = "/file.rnc"
PACKET = 1024
"""Bytes sent at once where the rate is limited."""
PAGE = Path("web", "dist")
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".rnc": "image/x-rnc",
}


def serve(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .rnc file.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    throttle: Annotated[
        float | None,
        typer.Option(metavar="KB", help="Send the file at so many kilobytes a second, to watch."),
    ] = None,
    page: Annotated[
        Path, typer.Option(metavar="DIR", help="The built page; `make web` writes it.")
    ] = PAGE,
) -> None:
    """Show a .rnc file in a browser on this machine, iteration by iteration as it arrives.

    Only this machine can reach the server. It honours ranges: a program can ask for the first
    bytes of the file only, as the page does where it is stopped. Ctrl-C ends it.
    """
    if throttle is not None:
        check_number("throttle", throttle, 0.001, None)
    with listening(file, port, page, throttle) as server:
        typer.echo(f"http://{HOST}:{server.server_port}/?file={FILE.lstrip('/')}  (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")


def listening(
    file: Path, port: int, page: Path, throttle: float | None
) -> http.server.ThreadingHTTPServer:
    """A server that listens, for `serve_forever`.

    Raises:
        BitstreamError: not a .rnc file, or damaged.
        ConfigError: the page is not built, or the port is taken.
        DataError: the file cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    describe(data)
    if not (page / "index.html").is_file():
        raise ConfigError(
            f"{page}: the page is not built: run `make web` in a clone of rnncodec, then name its "
            "folder web/dist with --page"
        )
    # a list, not a folder: no path of a request is ever looked for on the disk
    files = {f"/{path.relative_to(page).as_posix()}": path for path in page.rglob("*")}
    served = {name: path for name, path in files.items() if path.is_file()}
    handler = partial(Handler, data, served, throttle)
    try:
        return http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise ConfigError(f"port={port}: {error.strerror}; another one, or 0 for any") from error


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD for the files of the page and for the one picture."""

    protocol_version = "HTTP/1.1"
    server_version = "rnncodec"
    sys_version = ""
    hosts: ClassVar = ("127.0.0.1", "localhost")

    def __init__(
        self, data: bytes, page: dict[str, Path], throttle: float | None, *args: object
    ) -> None:
        self.data, self.page, self.throttle = data, page, throttle
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with a whole file or a range of it."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        # a page of another site whose name was made to mean this machine is not served
        if self.headers.get("Host", "").rpartition(":")[0] not in self.hosts:
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        path = unquote(urlsplit(self.path).path)
        name = "/index.html" if path == "/" else path
        if name != FILE and name not in self.page:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        found = self.data if name == FILE else self.page[name].read_bytes()
        span = requested_range(self.headers.get("Range"), len(found))
        if span is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{len(found)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, end = span
        partial_content = self.headers.get("Range") is not None and (first, end) != (0, len(found))
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial_content else HTTPStatus.OK)
        if partial_content:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(found)}")
        kind = TYPES.get(Path(name).suffix, "application/octet-stream")
        for header, value in {
            "Accept-Ranges": "bytes",
            "Content-Type": kind,
            "Content-Length": str(end - first),
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            # an isolated page has shared memory, and decodes on several cores
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(header, value)
        self.end_headers()
        if body:
            self._send(found[first:end], slowly=path == FILE)

    def _send(self, data: bytes, *, slowly: bool) -> None:
        try:
            if self.throttle is None or not slowly:
                self.wfile.write(data)
                return
            for at in range(0, len(data), PACKET):
                packet = data[at : at + PACKET]
                self.wfile.write(packet)
                self.wfile.flush()
                sleep(len(packet) / (1000 * self.throttle))
        except ConnectionError:  # whoever asked has seen enough
            self.close_connection = True


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last that a Range header asks for; None: it cannot be.

    A header of another kind, or of several ranges, asks for everything.

    >>> requested_range("bytes=0-99", 1000), requested_range("bytes=-10", 1000)
    ((0, 100), (990, 1000))
    >>> requested_range("bytes=500-", 1000), requested_range("bytes=2000-", 1000)
    ((500, 1000), None)
    """
    unit, _, spec = (header or "").partition("=")
    first, dash, last = spec.strip().partition("-")
    digits = [part for part in (first, last) if part]
    readable = all(part.isascii() and part.isdigit() and len(part) < 20 for part in digits)
    if unit.strip() != "bytes" or not dash or not digits or not readable:
        return 0, size
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    if int(first) >= size or (last and int(last) < int(first)):
        return None
    return int(first), min(size, int(last) + 1) if last else size
