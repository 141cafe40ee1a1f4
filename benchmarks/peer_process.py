"""Codecs of CompressAI, run by a Python of their own for `peers.py`, without this project.

It reads a line of JSON for each work, {"model": NAME, "work": "encode" | "decode"}, and answers
with its seconds. The picture is a .npy file, uint8 (H, W, 3). Weights are random: they change how
many bits there are, but not the work of the networks; entropy coders take a little of the time.
"""

import json
import sys
import time

import compressai
import numpy as np
import torch
from compressai.zoo import image_models


def main() -> None:
    """Answer until standard input ends."""
    picture, quality, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    x = torch.from_numpy(np.load(picture)).permute(2, 0, 1)[None].float() / 255
    torch.manual_seed(0)
    models, streams = {}, {}
    with torch.inference_mode():
        for name in names:
            models[name] = image_models[name](quality=quality, pretrained=False).eval()
            models[name].update(force=True)
            streams[name] = models[name].compress(x)
        versions = {"compressai": compressai.__version__, "torch": torch.__version__}
        print(json.dumps({"versions": versions, "threads": torch.get_num_threads()}), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            model, stream = models[asked["model"]], streams[asked["model"]]
            start = time.perf_counter()
            if asked["work"] == "encode":
                model.compress(x)
            else:
                model.decompress(stream["strings"], stream["shape"])
            print(json.dumps(time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
