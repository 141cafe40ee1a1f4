"""The account of images that cannot be used: each named once, and few of them tolerated."""

import logging

from rnncodec.errors import DataError

_log = logging.getLogger(__name__)

TOLERATED_PERCENT = 1
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
        """Raise DataError, naming up to five images, if more than 1 % cannot be used."""
        count = len(self.reasons)
        if count * 100 <= self.total * TOLERATED_PERCENT:
            return
        shown = [f"{name} ({reason})" for name, reason in list(self.reasons.items())[:_SHOWN]]
        more = f"; and {count - _SHOWN} more" if count > _SHOWN else ""
        raise DataError(
            f"{count} of {self.total} images of {self.where} cannot be used, at most "
            f"{TOLERATED_PERCENT} % may be skipped: {'; '.join(shown)}{more}; "
            "remove or repair them (where too small, lower data.crop or raise data.shrink)"
        )
