"""Tiles of one size are coded by themselves, but computed together."""

from typing import NamedTuple

from rnncodec.bitstream import Header, Tile


class Batch(NamedTuple):
    """Some tiles of one size, by number in raster order."""

    numbers: tuple[int, ...]
    tiles: tuple[Tile, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each tile, in positions."""
        return self.tiles[0].h, self.tiles[0].w


def batches(header: Header, *, positions: int) -> list[Batch]:
    """The tiles of an image, by size; batches of several tiles have at most so many positions.

    Small tiles one by one would take as many steps each as a large image does.

    Examples:
        >>> header = Header(width=80, height=32, iterations=1, fingerprint=bytes(16), tile=32)
        >>> [(batch.numbers, batch.size) for batch in batches(header, positions=100)]
        [((0, 1), (2, 2)), ((2,), (2, 1))]
    """
    of_size: dict[tuple[int, int], list[tuple[int, Tile]]] = {}
    for number, tile in enumerate(header.tiles()):
        of_size.setdefault((tile.h, tile.w), []).append((number, tile))
    found = []
    for (h, w), tiles in of_size.items():
        count = max(1, positions // (h * w))
        for at in range(0, len(tiles), count):
            numbers, chosen = zip(*tiles[at : at + count], strict=True)
            found.append(Batch(numbers, chosen))
    return found
