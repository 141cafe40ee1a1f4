"""The codec as its users see it: images in, images out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rnncodec.geometry import BLOCK, blocks, pad_to
from rnncodec.model_file import load_network
from rnncodec.network import BITS, Network
from rnncodec.pixels import from_uint8, to_uint8
from rnncodec.precision import autocast
from rnncodec.unroll import unroll

Image = NDArray[np.uint8]


class Codec:
    """A trained network, ready to code images of any size.

    Args:
        network: the network; it is put into inference mode.
        device: where it runs.
    """

    def __init__(self, network: Network, *, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.network = network.eval().requires_grad_(False).to(self.device)

    def reconstructions(self, image: Image) -> Iterator[tuple[float, Image]]:
        """Code an image, iteration by iteration.

        Args:
            image: uint8 (H, W, 3), any size.

        Yields:
            nominal bits per pixel so far (32 per 16x16 block, padding included), and the 8-bit
            reconstruction, uint8 (H, W, 3).
        """
        height, width = image.shape[:2]
        bits = BITS * blocks(height) * blocks(width)
        x = torch.tensor(image, device=self.device).permute(2, 0, 1)[None]
        padded = pad_to(from_uint8(x), BLOCK)
        with torch.inference_mode(), autocast(self.device):
            steps = unroll(self.network, padded, iterations=self.network.iterations)
            for t, step in enumerate(steps, start=1):
                picture = to_uint8(step.x_hat[0, :, :height, :width])
                yield t * bits / (height * width), picture.permute(1, 2, 0).cpu().numpy()


def load(path: str | Path, *, device: torch.device | str = "cpu") -> Codec:
    """Read a codec from a model file.

    Raises:
        ModelError: no such file, not a model file, damaged, or from a newer version.
    """
    return Codec(load_network(path), device=device)
