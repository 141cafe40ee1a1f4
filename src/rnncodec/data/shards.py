"""Shards of tiles: WebDataset tar files in which the place of tile `i` is computed from `i`.

Every member is a binary PPM picture, `<image>-<top>-<left>-<score>.ppm`, and all members of a
shard take the same number of bytes: 4096 for tiles of 32x32. `tar`, Pillow and any WebDataset
reader open them; ours needs no index. See docs/DATA.md.
"""

import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tarfile import BLOCKSIZE, USTAR_FORMAT, TarInfo
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels

END = bytes(2 * BLOCKSIZE)
"""What ends a tar file."""

# (first, after last) digit of each number in a member's name, and of the checksum in its header
_IMAGE, _TOP, _LEFT, _SCORE = (0, 9), (10, 15), (16, 21), (22, 28)
_NAME = "{:09d}-{:05d}-{:05d}-{:06d}.ppm"
_CHECKSUM = slice(148, 156)


class ScoredTiles(NamedTuple):
    """Tiles (n, side, side, 3) of one image, and for each its corner and its PNG size."""

    pixels: Pixels
    tops: Sequence[int]
    lefts: Sequence[int]
    scores: Sequence[int]


class MemberNames(NamedTuple):
    """What the members' names say: image number, corner and score of each, int64 (n,)."""

    image: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    score: NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Where the bytes of tiles of one side length are."""

    side: int

    @cached_property
    def head(self) -> bytes:
        """How every PPM picture begins."""
        return f"P6\n{self.side} {self.side}\n255\n".encode()

    @property
    def colours(self) -> int:
        """Bytes of a tile's pixels."""
        return 3 * self.side**2

    @property
    def member(self) -> int:
        """Bytes of a member: header, picture and padding."""
        return BLOCKSIZE + -(-(len(self.head) + self.colours) // BLOCKSIZE) * BLOCKSIZE

    def shard_bytes(self, tiles: int) -> int:
        """Bytes of a shard."""
        return tiles * self.member + len(END)

    @cached_property
    def _header(self) -> bytes:
        info = TarInfo(_NAME.format(0, 0, 0, 0))
        info.size = len(self.head) + self.colours
        header = bytearray(info.tobuf(USTAR_FORMAT))
        header[_CHECKSUM] = b" " * 8  # as the checksum is computed
        return bytes(header)

    def pack(self, image: int, tiles: ScoredTiles) -> bytes:
        """The members of one image's tiles, one after the other.

        >>> len(Layout(32).pack(7, ScoredTiles(np.zeros((2, 32, 32, 3), np.uint8), [0, 0], [0, 32], [9, 9])))
        8192
        """  # noqa: E501
        count = len(tiles.pixels)
        members = np.zeros((count, self.member), np.uint8)
        members[:, :BLOCKSIZE] = np.frombuffer(self._header, np.uint8)
        places = zip(tiles.tops, tiles.lefts, tiles.scores, strict=True)
        names = "".join(_NAME.format(image, *place) for place in places).encode()
        name = np.frombuffer(names, np.uint8).reshape(count, -1)
        members[:, : name.shape[1]] = name
        sums = members[:, :BLOCKSIZE].sum(axis=1, dtype=np.int64).tolist()
        checks = b"".join(b"%06o\0 " % value for value in sums)
        members[:, _CHECKSUM] = np.frombuffer(checks, np.uint8).reshape(count, 8)
        start = BLOCKSIZE + len(self.head)
        members[:, BLOCKSIZE:start] = np.frombuffer(self.head, np.uint8)
        members[:, start : start + self.colours] = tiles.pixels.reshape(count, -1)
        return members.tobytes()

    def pixels(self, members: bytes) -> Pixels:
        """Members as `pack` makes them -> read-only tiles (n, side, side, 3).

        Raises:
            DataError: they are no such members.
        """
        table = np.frombuffer(members, np.uint8).reshape(-1, self.member)
        start = BLOCKSIZE + len(self.head)
        if (table[:, BLOCKSIZE:start] != np.frombuffer(self.head, np.uint8)).any():
            raise DataError(f"expected PPM pictures of {self.side}x{self.side} pixels")
        colours = table[:, start : start + self.colours]
        return colours.reshape(-1, self.side, self.side, 3)

    def names(self, members: bytes) -> MemberNames:
        """What the members' names say.

        Raises:
            DataError: they are no names of tiles.
        """
        table = np.frombuffer(members, np.uint8).reshape(-1, self.member)
        return MemberNames(
            *(_number(table[:, slice(*at)]) for at in (_IMAGE, _TOP, _LEFT, _SCORE))
        )


class ShardFile:
    """An open shard; reads any of its members by number, from any process.

    Raises:
        DataError: the file is missing, or not of the size that so many tiles have.
    """

    def __init__(self, path: Path, layout: Layout, tiles: int) -> None:
        self.path = path
        self.layout = layout
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise DataError(f"cannot read the shard {path}: {error.strerror}") from error
        self.close = weakref.finalize(self, os.close, self._file)  # at the latest with the object
        found, expected = os.fstat(self._file).st_size, layout.shard_bytes(tiles)
        if found != expected:
            self.close()
            raise DataError(
                f"{path} has {found:,} bytes, expected {expected:,}: it is damaged or incomplete; "
                "copy it again, or prepare the set again"
            )

    def members(self, first: int, count: int = 1) -> bytes:
        """So many members from number `first` on.

        Raises:
            DataError: the disk gives no more bytes.
        """
        size = count * self.layout.member
        try:
            data = os.pread(self._file, size, first * self.layout.member)
        except OSError as error:
            raise DataError(f"cannot read the shard {self.path}: {error.strerror}") from error
        if len(data) != size:
            raise DataError(f"{self.path} ends before member {first + count - 1}")
        return data

    def tile(self, number: int) -> Pixels:
        """Tile `number` as read-only uint8 (side, side, 3).

        Raises:
            DataError: there is no tile.
        """
        try:
            tile: Pixels = self.layout.pixels(self.members(number))[0]
        except DataError as error:
            raise DataError(f"{self.path}, member {number}: {error}") from error
        return tile


def _number(digits: Pixels) -> NDArray[np.int64]:
    values = digits.astype(np.int64) - ord("0")
    if ((values < 0) | (values > 9)).any():
        raise DataError("a member's name is not that of a tile")
    powers = 10 ** np.arange(digits.shape[1] - 1, -1, -1)
    return np.asarray(values @ powers, np.int64)
