"""The order in which the positions of a code map are entropy coded (FORMAT.md, "Order")."""

import numpy as np
from numpy.typing import NDArray

ROW_DELAY = 4
"""How many columns a row runs behind the row above it: one more than the reach of a 7x7 mask."""


def position_order(h: int, w: int) -> NDArray[np.int64]:
    """Return raster indices `y * w + x` of all positions, sorted by (x + 4y, y); shape (h*w,).

    Positions of equal x + 4y do not depend on one another, so a decoder may take them at once.

    >>> position_order(2, 6).tolist()
    [0, 1, 2, 3, 4, 6, 5, 7, 8, 9, 10, 11]
    """
    y, x = np.divmod(np.arange(h * w, dtype=np.int64), w)
    return np.lexsort((y, x + ROW_DELAY * y)).astype(np.int64)
