"""When pictures that cannot be read are no longer these pictures' fault, but the storage's."""

import errno
import os
from pathlib import Path

from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.progress import Progress

MAX_BAD = 0.1
"""Share of the images that may be damaged or crash the decoder, if nothing else is asked for."""

FEW = 100
"""Fewer bad images than this never end a run."""

DAMAGED = "damaged"
CRASHED = "crashed the decoder"

_STORAGE = frozenset(
    {
        *(errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO),
        *(errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN),
        *(errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED),
        *(errno.ESHUTDOWN, errno.EMFILE, errno.ENFILE),
    }
)
"""What the system says when a disk or a server fails, whatever is in the file."""


def refuse_lost(error: BaseException, root: Path | None) -> None:
    """Do nothing if only the picture (or archive) that `error` is about cannot be read.

    Args:
        error: what was raised, perhaps from an OSError.
        root: the folder that the source lies in, if it is one.

    Raises:
        DataError: the storage failed, or the root is gone, so that all that follow would be lost.
    """
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__
    if not isinstance(cause, OSError):
        return  # Pillow's own have no number: the bytes were read
    if cause.errno in _STORAGE:
        raise DataError(
            f"the source's storage failed ({error}). When it is back, repeat the command: it goes "
            "on where it stopped. If that file alone cannot be read, remove it first"
        ) from error
    if root is not None and (problem := _gone(root)):
        raise DataError(
            f"the source is gone: {root} {problem} ({error}). When it is back, repeat the "
            "command: it goes on where it stopped"
        ) from error


def _gone(root: Path) -> str:
    try:
        with os.scandir(root) as found:  # looks at one entry, however many there are
            # an unmounted share leaves an empty folder
            return "is empty now" if next(found, None) is None else ""
    except OSError as error:
        return f"cannot be listed: {error.strerror}"


def require_share(max_bad: float) -> None:
    """Refuse a share that is none.

    Raises:
        ConfigError: it is not between 0 and 1.
    """
    if not 0 <= max_bad <= 1:
        raise ConfigError(f"--max-bad {max_bad}: expected from 0 to 1")


def refuse_many(progress: Progress, max_bad: float, last: str) -> None:
    """Refuse to go on when more images failed than may; what is not committed is tried again.

    Raises:
        DataError: at least `FEW` images, and more than the share of all, are bad.
    """
    counts = [(kind, progress.rejected[kind]) for kind in (DAMAGED, CRASHED)]
    bad = sum(count for _, count in counts)
    if bad < FEW or bad <= max_bad * progress.images:
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts if count)
    raise DataError(
        f"{bad:,} of {progress.images:,} images could not be used ({kinds}), more than --max-bad "
        f"{max_bad:g} allows; the last one: {last}. If the source was away, repeat the command: "
        "the images since the last finished shard are tried again. If they are all damaged, "
        "repeat it with a larger --max-bad"
    )
