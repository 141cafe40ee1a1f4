"""Every error a user can meet, on one screen.

A message says what was wrong, what was expected, what was got, and what to do about it.
"""


class RNNCodecError(Exception):
    """Base of all errors raised for something the caller can put right."""


class ConfigError(RNNCodecError):
    """A setting, name or combination of settings that cannot work."""


class DataError(RNNCodecError):
    """Training or evaluation images that are missing, unreadable or unusable."""


class ModelError(RNNCodecError):
    """A model or checkpoint file that is damaged, of another architecture, or unknown."""


class DivergenceError(RNNCodecError):
    """A training whose loss, gradients, weights or outputs have stopped being finite numbers."""


class StorageError(RNNCodecError):
    """A result could not be written (full disk, no permission); nothing half-written is left."""


class RNNCodecWarning(UserWarning):
    """Something was done otherwise than asked, and the result is still right."""


class TargetWarning(RNNCodecWarning):
    """A rate or quality is out of reach, and the best reachable is used.

    >>> print(TargetWarning("psnr=90", "41.2"))
    psnr=90 cannot be reached with this model and image; the best reachable, 41.2, is used
    """

    def __init__(self, target: str, best: str) -> None:
        super().__init__(target, best)
        self.target = target
        self.best = best

    def __str__(self) -> str:
        return (
            f"{self.target} cannot be reached with this model and image; the best reachable, "
            f"{self.best}, is used"
        )


class BitstreamError(RNNCodecError):
    """A compressed file that is damaged, hostile, or of another format; names the offset.

    `kind` is ``damaged``, ``foreign`` (no rnc file), ``newer`` (of a newer version) or
    ``incomplete`` (it ends before its first iteration does): FORMAT.md, "Order of checks".

    >>> print(BitstreamError("width=0: expected at least 1", 8))
    byte 8: width=0: expected at least 1
    """

    def __init__(self, message: str, offset: int | None = None, *, kind: str = "damaged") -> None:
        super().__init__(message, offset)
        self.message = message
        self.offset = offset
        self.kind = kind

    def __str__(self) -> str:
        return self.message if self.offset is None else f"byte {self.offset}: {self.message}"
