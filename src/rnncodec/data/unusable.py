"""The account of images that cannot be used: each named once, and few of them tolerated."""

import logging

from rnncodec.errors import DataError

_log = logging.getLogger(__name__)

TOLERATED_PERCENT = 1
FEW, MOST = 3, 4
"""So many are tolerated of a small set, too, but no more than one of so many."""
_SHOWN = 5


class Unusable:
    """Images skipped so far, out of `total`; `where` tells the user which set it is."""

    def __init__(self, total: int, where: str) -> None:
        self.total = total
        self.where = where
        self.reasons: dict[str, str] = {}

    def add(self, name: str, reason: str) -> None:
        """Note an image; the first time it is logged with its reason and the count so far."""
        if name not in self.reasons:
            self.reasons[name] = reason
            _log.warning("skipping %s (%d of %d): %s", name, len(self.reasons), self.total, reason)

    def check(self) -> None:
        """Raise DataError, naming up to five images, if too many of them cannot be used."""
        count = len(self.reasons)
        if count <= tolerated(self.total):
            return
        shown = [f"{name} ({reason})" for name, reason in list(self.reasons.items())[:_SHOWN]]
        more = f"; and {count - _SHOWN} more" if count > _SHOWN else ""
        raise DataError(
            f"{count} of {self.total} images of {self.where} cannot be used, at most "
            f"{tolerated(self.total)} may be skipped: {'; '.join(shown)}{more}; "
            "remove or repair them (where too small, lower data.crop or raise data.shrink)"
        )


def tolerated(total: int) -> int:
    """How many of so many images may be skipped: 1 %, and a few of a small set.

    >>> [tolerated(total) for total in (3, 4, 22, 300, 1000)]
    [0, 1, 3, 3, 10]
    """
    return max(total * TOLERATED_PERCENT // 100, min(FEW, total // MOST))
