"""Writing files so that a reader sees the old content or the whole new one, never a part.

Small JSON files of one disk page (:func:`write_page`) are overwritten in place. Where a disk is
full, no file can be replaced by a new one, but a page that it already has can be written: so a run
can still record that the disk was full.
"""

import hashlib
import json
import os
import stat
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnncodec.errors import StorageError

PAGE = 4096
LONGEST = 1500
"""Bytes of a text in a page; with every character escaped, still less than a page."""
NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's control characters, halves of characters and line breaks."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    A link stays one: what it points to is replaced.

    Raises:
        StorageError: the disk is full, the folder cannot be written, ...; ``path`` is untouched
            and nothing half-written is left behind. Or ``path`` is a folder, a device, a pipe.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "score.txt"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("0.97")
        >>> target.read_text(), len(list(target.parent.iterdir()))
        ('0.97', 1)
    """
    path, temporary = Path(path), None
    refuse_irregular(path)
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # Only now: both mkstemp and writers that replace the file make it private.
        mask = os.umask(0o077)  # the one way to read it
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        flush_to_disk(temporary)
        temporary.replace(target)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror or error}); free some space or choose "
            "another folder, then repeat the command"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def refuse_irregular(path: Path) -> None:
    """Refuse to replace what is no file: a rename would put one in the place of a device.

    Raises:
        StorageError: it is a folder, a device, a pipe, ...
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # not there; or, what is in the way shows when it is written
        return
    if stat.S_ISDIR(mode):
        raise StorageError(f"{path}: is a folder; name a file, in it for example")
    if not stat.S_ISREG(mode):
        raise StorageError(f"{path}: is no regular file, and not replaced; choose another name")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path`` as a whole or not at all (see :func:`replacing`)."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 ``text`` to ``path`` as a whole or not at all (see :func:`replacing`)."""
    write_bytes(path, text.encode())


def flush_to_disk(path: Path) -> None:
    """Wait until the content is on the disk, so that a rename never outruns it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_page(path: Path, fields: dict[str, Any]) -> None:
    """Write a JSON object of few and short fields, in place if the file exists.

    Texts are cut after :data:`LONGEST` bytes.

    Raises:
        StorageError: the file does not exist yet and cannot be made.
    """
    short = {key: cut(value) if isinstance(value, str) else value for key, value in fields.items()}
    data = json.dumps(short, ensure_ascii=False).encode()
    assert len(data) < PAGE, "a page holds few and short fields"
    data = data.ljust(PAGE - 1) + b"\n"
    try:
        with path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), data, 0)
    except FileNotFoundError:
        write_bytes(path, data)
    except OSError as error:
        raise StorageError(f"{path}: could not be written ({error.strerror})") from error


def cut(text: str) -> str:
    """The beginning of a text, with a space for what cannot be printed."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")


def read_page(path: Path) -> dict[str, Any] | None:
    """The fields of a page; None if there is no such file, or it is damaged."""
    for _ in range(3):  # a reader may see a page that is being written
        try:
            fields = json.loads(path.read_bytes())
        except OSError:
            return None
        except ValueError:
            time.sleep(0.01)
        else:
            return fields if isinstance(fields, dict) else None
    return None


def printable(name: str) -> str:
    r"""A file's name as one line of text: what cannot be printed is written as Python would.

    File systems allow bytes that are no UTF-8, which become ``\xff``, and line breaks.

    Examples:
        >>> printable("Zürich $5"), printable("a\nb"), printable("caf\udce9")
        ('Zürich $5', 'a\\nb', 'caf\\xe9')
    """
    letters = []
    for letter in name:
        if 0xDC80 <= ord(letter) <= 0xDCFF:  # how Python keeps a byte that is no UTF-8
            letters.append(f"\\x{ord(letter) - 0xDC00:02x}")
        elif unicodedata.category(letter) in NO_TEXT:
            letters.append(ascii(letter)[1:-1])
        else:
            letters.append(letter)
    return "".join(letters)
