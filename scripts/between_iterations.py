"""What rates between two iterations bring: how full `--bpp` gets, and where the pictures lie.

    python scripts/between_iterations.py rates kodak/ --out rates.csv
    python scripts/between_iterations.py line photographs/

`rates` codes every picture at 0.1, 0.2, ... 1.5 bpp, as `rnncodec compress --bpp` does, and beside
each file writes the longest one of whole iterations. `line` cuts held-out crops from photographs,
and says how much of what an iteration brings is there for 25, 50 and 75 % of its bytes: over
0.25, 0.5 and 0.75 is above the line between both. It does so for files that are encoded to that
rate, for those that `truncate --fill` makes of the next iteration's, and for its first bytes.
"""

import argparse
import csv
import statistics
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import rnncodec
from rnncodec.bitstream import info
from rnncodec.data.module import FolderData
from rnncodec.evaluation.metrics import ms_ssim, psnr_hvs
from rnncodec.images.reading import find_images

RATES = [k / 10 for k in range(1, 16)]
SHARES = (0.25, 0.5, 0.75)
METRICS = {"ms_ssim": ms_ssim, "psnr_hvs": psnr_hvs}


def scores(pixels: np.ndarray, picture: Image.Image) -> dict[str, float]:
    """Both metrics of a decoded picture."""
    x, y = (torch.tensor(np.asarray(a)).permute(2, 0, 1)[None] for a in (pixels, picture))
    return {name: metric(x, y).item() for name, metric in METRICS.items()}


def rates(codec: rnncodec.Codec, folder: Path, out: Path) -> None:
    """A row for each picture and rate, then means."""
    rows: list[dict[str, object]] = []
    for path in find_images(folder):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        whole = codec.encode(pixels)
        ends = info(whole).bpp
        pictures = [scores(pixels, image) for image in codec.decode_progressive(whole)]
        for bpp in RATES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the first iteration may take more
                data = codec.encode(pixels, bpp=bpp)
            count = max(1, sum(end <= bpp for end in ends))
            found = scores(pixels, codec.decode(data))
            rows.append(
                {
                    "image": path.name,
                    "bpp": bpp,
                    "used": info(data).bpp[-1] / bpp,
                    "used_whole": ends[count - 1] / bpp,
                    **found,
                    **{f"{name}_whole": value for name, value in pictures[count - 1].items()},
                }
            )
        with out.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        print(path.name, flush=True)
    for bpp in RATES:
        here = [row for row in rows if row["bpp"] == bpp]
        means = {key: statistics.fmean(row[key] for row in here) for key in list(rows[0])[2:]}  # type: ignore[misc]
        least = min(float(str(row["used"])) for row in here)
        print(bpp, *(f"{key} {value:.4f}" for key, value in means.items()), f"least {least:.4f}")


def line(codec: rnncodec.Codec, folder: Path) -> None:
    """Shares of what an iteration brings, means over 16 held-out crops of 256x256."""
    data = FolderData(
        root=str(folder), val_fraction=0.1, batch_size=8, crop=64, shrink=[0.5, 1],
        val_images=16, val_size=256, seed=11,
    )  # fmt: skip
    data.setup("fit")
    crops = [item["image"][0].permute(1, 2, 0).numpy() for item in data.val_dataloader()]
    for t in (1, 2, 4, 8):
        kept: dict[tuple[str, str, float], list[float]] = {}
        for pixels in crops:
            files = [codec.encode(pixels, iterations=n) for n in (t, t + 1)]
            low, high = (scores(pixels, codec.decode(file)) for file in files)
            for share in SHARES:
                size = len(files[0]) + share * (len(files[1]) - len(files[0]))
                parts = {
                    "encoded": codec.encode(pixels, bpp=8 * size / pixels[..., 0].size),
                    "filled": codec.truncate(files[1], max_bytes=int(size)),
                    "prefix": files[1][: int(size)],
                }
                for way, part in parts.items():
                    spent = (len(part) - len(files[0])) / (len(files[1]) - len(files[0]))
                    found = scores(pixels, codec.decode(part, partial=True))
                    for name in METRICS:
                        straight = low[name] + spent * (high[name] - low[name])
                        kept.setdefault((way, name, share), []).append(
                            (found[name] - straight) / (high[name] - low[name])
                        )
        for (way, name, share), over in kept.items():
            print(
                f"t = {t}: {way} {name} {share:.2f} {share + statistics.fmean(over):.3f}",
                flush=True,
            )


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["rates", "line"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--out", type=Path, default=Path("rates.csv"))
    given = parser.parse_args()
    codec = rnncodec.load(given.model)
    warnings.simplefilter("ignore")  # of cut files
    rates(codec, given.folder, given.out) if given.what == "rates" else line(codec, given.folder)


if __name__ == "__main__":
    main()
