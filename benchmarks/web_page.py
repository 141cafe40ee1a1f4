"""Times the decoder of `web/` in headless Chromium: `python benchmarks/web_page.py`.

After `make web`. It prints the time of codes and of the network for 256x256 and 768x512 pixels at
4 iterations, with the packaged model, on one thread and on as many as the machine has cores, in
turns, and that of `rnncodec decompress` in the same run.
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
DECODE = """async ([file, fingerprint, threads]) => {
  const load = (name) => import(new URL(`./codec/${name}.js`, location.href));
  const { Decoder, LoadedModel } = await load("decoder");
  const { loadKernels } = await load("heap");
  const { ThreadPool } = await load("threads");
  const model = await (
    await fetch(new URL(`models/${fingerprint}.safetensors`, location.href))
  ).arrayBuffer();
  const decoder = new Decoder();
  decoder.model = new LoadedModel(await loadKernels(), new Uint8Array(model));
  decoder.pool = await ThreadPool.start(decoder.model.kernels, threads);
  decoder.feed(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)));
  decoder.close();
  let codes = 0, network = 0;
  for (;;) {
    const { picture, end } = decoder.next();
    if (end) {
      decoder.pool?.end();
      return [codes / 1000, network / 1000];
    }
    if (picture) { codes += picture.codeTime; network += picture.networkTime; }
  }
}"""


class Isolating(http.server.SimpleHTTPRequestHandler):
    """A static server without a log, whose page may have threads."""

    def end_headers(self) -> None:
        """Isolate the page."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="take the fastest of so many")
    repeat = parser.parse_args().repeat
    codec = load()
    photo = Image.fromarray(next(image for _, image in DemoPhotos("train")))
    handler = functools.partial(Isolating, directory=str(PAGE))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        worker = page.workers[0] if page.workers else page.wait_for_event("worker")
        cores = page.evaluate("Math.min(8, navigator.hardwareConcurrency)")
        print(f"Chromium {browser.version}, the fastest of {repeat}")
        for size in SIZES:
            data = codec.encode(photo.resize(size), iterations=ITERATIONS)
            given = [base64.b64encode(data).decode(), codec.fingerprint.hex()]
            found: dict[int, list[list[float]]] = {threads: [] for threads in (1, cores)}
            for _ in range(repeat):
                for threads, times in found.items():
                    times.append(worker.evaluate(DECODE, [*given, threads]))
            begun = time.perf_counter()
            codec.decode(data)
            ours = time.perf_counter() - begun
            for threads, times in found.items():
                codes, network = (min(of) for of in zip(*times, strict=True))
                print(
                    f"{size[0]}x{size[1]}, {ITERATIONS} iterations, threads: {threads}: "
                    f"codes {codes:.2f} s, network {network:.2f} s; "
                    f"rnncodec decompress {ours:.2f} s"
                )
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
