"""Writing files so that a reader sees the old content or the whole new one, never a part."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnncodec.errors import StorageError


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
        temporary.chmod(0o666 & ~current_umask())
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


def current_umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
