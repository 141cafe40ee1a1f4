"""Times the decoder of `web/` in headless Chromium: `python benchmarks/web_page.py`.

After `make web`. It prints the time of codes and of the network for 256x256 and 768x512 pixels at
4 iterations, with the packaged model, and that of `rnncodec decompress` in the same run.
"""

import argparse
import base64
import functools
import http.server
import shutil
import threading
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from rnncodec.codec import load
from rnncodec.data.photos import DemoPhotos

PAGE = Path(__file__).parents[1] / "web" / "dist"
SIZES = [(256, 256), (768, 512)]
ITERATIONS = 4
DECODE = """async ([file, fingerprint]) => {
  const { Decoder, LoadedModel } = await import("./codec/decoder.js");
  const { loadKernels } = await import("./codec/heap.js");
  const model = await (await fetch(`models/${fingerprint}.safetensors`)).arrayBuffer();
  const decoder = new Decoder();
  decoder.model = new LoadedModel(await loadKernels(), new Uint8Array(model));
  decoder.feed(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)));
  decoder.close();
  let codes = 0, network = 0;
  for (;;) {
    const { picture, end } = decoder.next();
    if (end) return [codes / 1000, network / 1000];
    if (picture) { codes += picture.codeTime; network += picture.networkTime; }
  }
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A static server without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="take the fastest of so many")
    repeat = parser.parse_args().repeat
    codec = load()
    photo = Image.fromarray(next(image for _, image in DemoPhotos("train")))
    handler = functools.partial(Quiet, directory=str(PAGE))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        print(f"Chromium {browser.version}, the fastest of {repeat}")
        for size in SIZES:
            data = codec.encode(photo.resize(size), iterations=ITERATIONS)
            given = [base64.b64encode(data).decode(), codec.fingerprint.hex()]
            found = [page.evaluate(DECODE, given) for _ in range(repeat)]
            codes, network = (min(times) for times in zip(*found, strict=True))
            begun = time.perf_counter()
            codec.decode(data)
            ours = time.perf_counter() - begun
            print(
                f"{size[0]}x{size[1]}, {ITERATIONS} iterations: codes {codes:.2f} s, "
                f"network {network:.2f} s; rnncodec decompress {ours:.2f} s"
            )
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
