import pytest
import torch

from rnncodec.entropy import planes as pl


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 9), (2, 21), (11, 6)])
@pytest.mark.parametrize("iterations", [1, 3])
def test_diagonals_visit_each_position_once_at_its_step(size, iterations):
    diagonals = pl.Diagonals(*size)
    seen = {}
    for step in range(diagonals.total_steps(iterations)):
        at = diagonals.diagonal(step, 0, iterations)
        for t in range(at.t0, at.t1) if at else ():
            for k in range(*diagonals.valid(at, t)):
                y = at.y + (t - at.t0) * at.dt[0] + k * at.dk[0]
                x = at.x + (t - at.t0) * at.dt[1] + k * at.dk[1]
                assert (t, y, x) not in seen
                seen[t, y, x] = step
    height, width = size
    expected = {
        (t, y, x): x + 4 * y + 16 * t
        for t in range(iterations)
        for y in range(height)
        for x in range(width)
    }
    assert seen == expected


def test_decoding_a_768x512_image_takes_412_steps():
    assert pl.Diagonals(32, 48).total_steps(1) == 172
    assert pl.Diagonals(32, 48).total_steps(16) == 412


def test_a_lattice_is_the_positions_it_names():
    plane = pl.Plane((3, 2, 5, 6, 4), pl.Margin(3, 4, 5, 6), torch.float32)
    plane.inside().copy_(torch.randn(3, 2, 5, 6, 4))
    lattice = pl.Lattice(0, 2, 1, 4, 1, 2, dt=(1, -1), dk=(1, -2))
    view = plane.at(lattice, pl.Window(-1, -1, 2, 3), slot=1)
    assert view.shape == (2, 2, 1, 2, 2, 3, 4)
    for t in range(2):
        for k in range(2):
            y, x = 3 + 1 + t + k, 5 + 4 - t - 2 * k  # the margin, the start, the two steps
            expected = plane.data[t + 1, :, y - 1 : y + 1, x - 1 : x + 2]
            assert torch.equal(view[t, :, 0, k], expected)


def test_gathered_windows_lie_side_by_side():
    left = torch.arange(6, dtype=torch.int8).view(1, 1, 1, 2, 1, 1, 3)
    right = torch.tensor([7, 8], dtype=torch.int16).view(1, 1, 1, 2, 1, 1, 1)
    got = pl.gather(torch.float32, left, right)
    assert got.tolist() == [[[0, 1, 2, 7], [3, 4, 5, 8]]]
