"""All conformance files, decoded by the modules of the page: exact codes, pixels to one level."""

import base64
import functools
import gzip
import hashlib
import json
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Worker
from tests_web.conftest import GOLDEN

FILES = json.loads((GOLDEN / "manifest.json").read_text("utf-8"))["files"]
DECODE = """async ([file, model, fused, threads]) => {
  const load = (name) => import(new URL(`./codec/${name}.js`, location.href));
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const { Decoder, LoadedModel } = await load("decoder");
  const { loadKernels } = await load("heap");
  const { CodecError } = await load("errors");
  const { ThreadPool } = await load("threads");
  const decoder = new Decoder({ maxPixels: Infinity });
  const text = (array) => {
    let found = "";
    for (let at = 0; at < array.length; at += 8192)
      found += String.fromCharCode(...array.subarray(at, at + 8192));
    return btoa(found);
  };
  const codes = [];
  let last = null;
  try {
    decoder.model = new LoadedModel(await loadKernels({ fusedAllowed: fused }), bytes(model));
    decoder.pool = await ThreadPool.start(decoder.model.kernels, threads);
    for (const byte of [bytes(file)]) decoder.feed(byte);
    decoder.close();
    for (;;) {
      const event = decoder.next();
      if (event.header) decoder.check(decoder.model);
      if (event.picture) { last = event.picture; codes.push(text(last.codes)); }
      if (event.end)
        return { codes, threads: last.threads, pixels: text(new Uint8Array(last.pixels.buffer)) };
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { kind: error.kind, message: error.message };
  } finally {
    decoder.pool?.end();
  }
}"""


@functools.cache
def model(name: str) -> str:
    """The bytes of a model file, for JavaScript."""
    data = (GOLDEN / name).read_bytes()
    return base64.b64encode(gzip.decompress(data) if name.endswith(".gz") else data).decode()


def decoded(
    page: Page | Worker, entry: dict[str, Any], *, fused: bool = True, threads: int = 1
) -> dict[str, Any]:
    data = base64.b64encode((GOLDEN / entry["file"]).read_bytes()).decode()
    return page.evaluate(DECODE, [data, model(entry["model"]), fused, threads])


def check(entry: dict[str, Any], found: dict[str, Any]) -> None:
    codes = [base64.b64decode(text) for text in found["codes"]]
    assert len(codes) == entry["iterations"]
    assert hashlib.sha256(b"".join(codes)).hexdigest() == entry["codes_sha256"]
    with Image.open(GOLDEN / entry["pixels"]) as image:
        expected = np.asarray(image.convert("RGBA"), int)
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8)
    assert np.abs(pixels.reshape(expected.shape) - expected).max() <= 1


def worker_of(page: Page) -> Worker:
    """The page's own worker: only a worker may wait for threads."""
    return page.workers[0] if page.workers else page.wait_for_event("worker")


def every_file(page: Page | Worker, threads: int) -> None:
    for entry in FILES:
        found = decoded(page, entry, threads=threads)
        if "error" in entry:
            assert found.get("kind") == entry["error"], (entry["file"], found)
            assert "\n" not in found["message"]
        else:
            assert "codes" in found, (entry["file"], found)
            check(entry, found)
            assert found["threads"] == threads


def test_every_file(page: Page) -> None:
    every_file(page, 1)


def test_every_file_with_threads(isolated: Page) -> None:
    begun = time.perf_counter()
    every_file(worker_of(isolated), 3)
    seconds = time.perf_counter() - begun
    print(f"all conformance files on 3 threads: {seconds:.1f} s")  # noqa: T201 - a time is no test


def test_threads_change_no_pixel(isolated: Page) -> None:
    entry = next(entry for entry in FILES if entry["file"] == "set/tiles.rnc")
    one, three, many = (
        decoded(worker_of(isolated), entry, threads=threads) for threads in (1, 3, 8)
    )
    assert (one["threads"], three["threads"], many["threads"]) == (1, 3, 8)
    assert one["pixels"] == three["pixels"] == many["pixels"]


def test_without_isolation_there_is_one_thread(page: Page) -> None:
    entry = next(entry for entry in FILES if entry["file"] == "rgb.rnc")
    found = decoded(worker_of(page), entry, threads=3)
    check(entry, found)
    assert found["threads"] == 1


@pytest.mark.parametrize("name", ["rgb.rnc", "set/progressive.rnc", "set/assoc_lstm.rnc"])
def test_without_fused_products(page: Page, name: str) -> None:
    entry = next(entry for entry in FILES if entry["file"] == name)
    check(entry, decoded(page, entry, fused=False))
