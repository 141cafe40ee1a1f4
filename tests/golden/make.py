"""Made the golden files, once: `python tests/golden/make.py FOLDER`, some three minutes.

Kept to show where they come from. Do not run it on this folder: a file that is made anew proves
nothing about the files that users have. The same library versions on the same processor give the
same model; elsewhere training rounds otherwise and the model is another one, as good as this.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms
from torch import Tensor

from rnncodec.bitstream import Codes, Header, Iteration, write
from rnncodec.codec import AnyImage, Codec, load
from rnncodec.coding.entropy_coding import payloads
from rnncodec.data.photos import DemoPhotos
from rnncodec.entropy import bits_per_bit, quantize
from rnncodec.entropy.progressive import Progressive
from rnncodec.images.pixels import from_uint8
from rnncodec.images.reading import Pixels
from rnncodec.models import model_file
from rnncodec.models.model_file import Model
from rnncodec.network.autoencoder import Network
from rnncodec.network.cells.gru import GRU
from rnncodec.network.recon.scaled_additive import ScaledAdditive
from rnncodec.network.unroll import unroll

T = 3
CODEC_STEPS, ENTROPY_STEPS = 1500, 1000


def crops(photos: list[Pixels], count: int, side: int) -> Tensor:
    """Random crops, uint8 (count, 3, side, side)."""
    found = []
    for k in torch.randint(len(photos), (count,)).tolist():
        height, width, _ = photos[k].shape
        y = int(torch.randint(height - side + 1, ()))
        x = int(torch.randint(width - side + 1, ()))
        found.append(torch.tensor(photos[k][y : y + side, x : x + side]))
    return torch.stack(found).permute(0, 3, 1, 2)


def train_codec(photos: list[Pixels]) -> Network:
    network = Network(GRU, partial(ScaledAdditive, channels=8), width=0.125, iterations=T)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, CODEC_STEPS)
    for step in range(CODEC_STEPS):
        x = from_uint8(crops(photos, 16, 32))
        steps = unroll(network, x, iterations=T, noise=torch.rand(16, T, 32, 2, 2))
        loss = torch.stack([(x - s.x_hat).abs().mean() for s in steps]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"codec   {step + 1:5} mean absolute residual {loss.item():.4f}", flush=True)
    return network


def train_entropy(codec: Codec, photos: list[Pixels]) -> Progressive:
    model = Progressive(T, 16)
    found = [codec.transform.steps(crops(photos, 50, 160), T) for _ in range(10)]
    codes = torch.cat([torch.stack([s.code for s in steps], dim=1) for steps in found])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, ENTROPY_STEPS)
    for step in range(ENTROPY_STEPS):
        batch = codes[torch.randint(len(codes), (4,))]
        loss = bits_per_bit(model(batch, exact=step > ENTROPY_STEPS // 2), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"entropy {step + 1:5} bits per bit {loss.item():.4f}", flush=True)
    return model


def pictures(photo: Pixels) -> dict[str, tuple[AnyImage, int]]:
    """Name -> image and tile size."""
    profiled = Image.fromarray(photo[200:248, 100:140])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    profiled.info["icc_profile"] = profile.tobytes()
    return {
        "rgb": (photo[20:84, 180:270], 0),
        "grey": (Image.fromarray(photo[0:83, 0:118]).convert("L"), 0),
        "tiled": (photo[60:130, 170:270], 48),
        "profile": (profiled, 0),
        "pixel": (photo[100:101, 220:221], 0),
    }


def store(folder: Path, name: str, data: bytes, codec: Codec) -> None:
    """A file, the codes in it, packed, and the picture it decodes to."""
    (folder / f"{name}.rnc").write_bytes(data)
    (folder / f"{name}.codes").write_bytes(np.packbits(codec.decode_codes(data)).tobytes())
    codec.decode(data).save(folder / f"{name}.png", icc_profile=None)


def unlikely(codec: Codec, codes: Codes) -> bytes:
    """A file whose codes the entropy model expects so little that they are stored as they are."""
    assert codec.model.entropy is not None
    header = Header(width=40, height=30, iterations=T, fingerprint=codec.fingerprint)
    h, w, _ = header.code_shape
    flipped = 1 - codes[:, :h, :w]
    return write(header, map(Iteration, flipped, payloads(codec.model.entropy, flipped, header)))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    photos = [image for _, image in DemoPhotos("train")]
    network = train_codec(photos)
    plain = folder / "plain.safetensors"
    model_file.save(plain, Model(network), dtype=torch.float16)
    entropy = quantize(train_entropy(load(plain), photos))
    model_file.save(folder / "model.safetensors", Model(network, entropy), dtype=torch.float16)
    plain.unlink()
    codec = load(folder / "model.safetensors")
    for name, (image, tile) in pictures(photos[0]).items():
        store(folder, name, codec.encode(image, tile=tile), codec)
    codes = codec.encode_codes(photos[0][40:104, 200:290])
    store(folder, "raw", unlikely(codec, codes), codec)


if __name__ == "__main__":
    main()
