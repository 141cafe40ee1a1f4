"""Made the golden adaptive file, once, with the golden model: `make_adaptive.py FOLDER`.

As with `make.py`: kept to show where it comes from, not to be run on this folder again.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from rnncodec.bitstream import sending
from rnncodec.codec import load
from rnncodec.data.photos import DemoPhotos


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    codec = load(Path(__file__).parent / "model.safetensors")
    photo = next(image for _, image in DemoPhotos("train"))
    data = codec.encode(photo[20:84, 180:270], adaptive="mse=1e-3")
    codes = codec.decode_codes(data)
    bits = np.concatenate([(codes == 1).ravel(), sending(codes).ravel()])
    (folder / "adaptive.rnc").write_bytes(data)
    (folder / "adaptive.codes").write_bytes(np.packbits(bits).tobytes())
    codec.decode(data).save(folder / "adaptive.png")


if __name__ == "__main__":
    main()
