"""Some photographs kept in one piece: for validation, and for the entropy model's larger crops."""

import hashlib
import heapq
import re
from pathlib import Path
from typing import Any

from rnncodec.data.photos import hash_fraction
from rnncodec.machine.storage import write_bytes

_OWN = re.compile(r"[0-9a-f]{32}\.png")


class Keep:
    """The `most` photographs with the least hash fraction, as PNG files in a folder.

    Which they are depends on no order: offering one again, as a resumed run does, changes
    nothing.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most
        self._kept: list[tuple[float, str]] = []  # a heap, the worst first

    @property
    def bar(self) -> float:
        """The hash fraction below which a photograph will be kept."""
        return -self._kept[0][0] if len(self._kept) == self.most else 1.0

    def add(self, name: str, data: bytes | None) -> None:
        """Offer a photograph; None if its file is there already.

        Raises:
            StorageError: it could not be written.
        """
        item = -hash_fraction(name), name
        if item in self._kept or -item[0] >= self.bar:
            return
        if data is not None:
            write_bytes(self._file(name), data)
        heapq.heappush(self._kept, item)
        if len(self._kept) > self.most:
            _, dropped = heapq.heappop(self._kept)
            self._file(dropped).unlink(missing_ok=True)

    def listed(self) -> list[dict[str, Any]]:
        """Name, file and SHA-256 of each, by name; what a killed run has left is cleared away."""
        found = sorted(name for _, name in self._kept)
        files = {self._file(name): name for name in found}
        for path in self.folder.glob("*.png"):
            if path not in files and _OWN.fullmatch(path.name):
                path.unlink()
        return [
            {
                "name": name,
                "file": f"{self.folder.name}/{path.name}",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path, name in files.items()
        ]

    def _file(self, name: str) -> Path:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16)
        return self.folder / f"{digest.hexdigest()}.png"
