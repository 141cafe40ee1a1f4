"""Rows of the table in docs/PERFORMANCE.md: a figure each, and what it is measured against.

Each function takes the JSON of a part of ``make bench`` (``suite.py``) and raises KeyError if an
older version of the part has written it.
"""

from collections.abc import Callable, Iterator
from typing import Any

Result = dict[str, Any]

REFERENCES = {
    "textbook": "textbook, float32",
    "float32": "same network, float32, unshared",
    "unshared": "same network, unshared",
}
STEP = "width {width}, batch {batch}, {side}x{side}, T = {iterations}"
KODAK = "768x512"


def row(what: str, figure: str, reference: str) -> str:
    return f"| {what} | {figure} | {reference} |"


def train_step(result: Result) -> Iterator[str]:
    settings, reference = result["settings"], result["reference"]
    median, peak = result["median_seconds"], result["peak_memory_gib"]
    spent = {work: f"{median[work]:.2f} s, peak {peak[work]:.2f} GiB" for work in median}
    what = f"training step, {settings['cell']} / additive, {STEP.format(**settings)}"
    yield row(
        what,
        f"{result['speedup']:.2f}x as fast ({result['package_precision']}, {spent['package']})",
        f"{REFERENCES[reference]} ({spent[reference]})",
    )
    rate = f"{result['matmul_tflops']['bf16']:.3f} TFLOP/s"
    yield row(
        f"{what}: share of the measured bf16 matmul rate",
        f"{result['fraction_of_bf16_matmul']:.0%}",
        f"{rate}, with {result['tflop_per_step']:.2f} TFLOP a step",
    )


def grid(result: Result) -> Iterator[str]:
    size = STEP.format(**result["settings"])
    for name, ratio in result["over_float32"].items():
        what = f"training step, {name}, {size}"
        yield row(what, f"{ratio:.2f}x as fast", REFERENCES["float32"])
    for name, grown in result["growth_when_4_times"].items():
        yield row(
            f"training step, gru_resnet / additive, with 4 times the {name}",
            f"{grown['time']:.2f}x the time, {grown['memory']:.2f}x the memory "
            f"(peak {grown['peak_gib']:.2f} GiB)",
            f"itself with {size}",
        )


def coding(result: Result) -> Iterator[str]:
    for count, found in result["against_textbook"].items():
        what = f"lstm / additive, width {result['settings']['width']}, T = {count}"
        yield from against_textbook(what, int(count), found)
    packaged, rate = f"with {result['model']}", result["to_rate"]
    yield row(
        f"encode {KODAK} to {rate['bpp_asked']} bpp {packaged}, where T = {rate['iterations']} is "
        "reached",
        f"{rate['over_iterations']:.2f}x the time ({rate['seconds']:.2f} s)",
        f"encode to T = {rate['iterations']} ({rate['seconds_by_iterations']:.2f} s)",
    )
    base = result["growth"][KODAK]["us_per_pixel"]
    for size, grown in result["growth"].items():
        each = grown["us_per_pixel"]
        yield row(
            f"encode and decode {size} {packaged}, T = 3",
            f"{each / base:.2f}x the time a pixel ({each:.2f} us), "
            f"peak {grown['peak_gib']:.2f} GiB",
            f"{KODAK} ({base:.2f} us)",
        )
    alone = result["batches"]["1"]
    for together, spent in result["batches"].items():
        if together != "1":
            yield row(
                f"encode {together} images of 256x256 together {packaged}, T = 3",
                f"{alone / spent:.2f}x as fast ({spent:.3f} s an image)",
                f"one at a time ({alone:.3f} s)",
            )


def against_textbook(what: str, count: int, found: Result) -> Iterator[str]:
    """Of so many iterations."""
    seconds = found["seconds"]
    for work in ("encode", "decode"):
        yield row(
            f"{work} {KODAK}, {what}",
            f"{found[f'{work}_over_textbook']:.2f}x as fast ({seconds[work]:.2f} s)",
            f"{REFERENCES['textbook']} ({seconds[f'textbook_{work}']:.2f} s)",
        )
    parts = (("encode", "1", 1), ("decode", "half", count // 2), ("decode", "1", 1))
    for work, key, part in parts:
        yield row(
            f"{work} {part} of the {count} iterations, {what}",
            f"{found[f'{work}_{key}_share']:.3f} of the time",
            f"{work} all ({seconds[work]:.2f} s); in proportion {part / count:.4g}",
        )


def entropy(result: Result) -> Iterator[str]:
    for name, speed in result["speed"].items():
        decode, parallel = speed["decode_diagonals_s"], speed["encode_parallel_s"]
        single = speed["one_at_a_time_s_extrapolated_from_150_positions"]
        what = f"entropy decode {KODAK}, T = 16, {name}, random weights, no range coder"
        yield row(
            what,
            f"{speed['one_at_a_time_over_decode']:.1f}x as fast ({decode:.2f} s)",
            f"one position at a time ({single:.2f} s, extrapolated from 150 positions)",
        )
        yield row(
            what,
            f"{speed['decode_over_encode']:.2f}x the time",
            f"the encoder's parallel pass ({parallel:.2f} s)",
        )
        yield row(
            f"{what}: 4 of the 16 iterations",
            f"{speed['decode_first_4_iterations_s'] / decode:.3f} of the time",
            f"all ({decode:.2f} s); in proportion 0.25",
        )
    whole = result["end_to_end"]
    for work in ("encode", "decode"):
        yield row(
            f"entropy {work} {KODAK}, T = 16, {result['model']}, with range coder",
            f"{whole[f'{work}_over_parallel_pass']:.2f}x the time ({whole[f'{work}_s']:.2f} s)",
            f"the encoder's parallel pass ({whole['parallel_pass_s']:.2f} s)",
        )
    yield row(
        f"its {whole['bytes']:,} bytes",
        f"{whole['bytes_over_entropy']:.2%} more",
        f"cross-entropy of {result['model']}",
    )


def coder(result: Result) -> Iterator[str]:
    encode, decode = result["encode_us_per_bit"], result["decode_us_per_bit_chunks_of_1920"]
    yield row(
        "range coder, decode in chunks of 60 positions of 32 bits",
        f"{decode / encode:.2f}x the time ({decode:.3f} us a bit)",
        f"encode in one go ({encode:.3f} us a bit)",
    )
    yield row(
        f"range coder, bytes of {result['bits']:,} bits",
        f"{result['over_entropy']:.2%} more",
        "cross-entropy",
    )


def supply(result: Result) -> Iterator[str]:
    consumed = result["consumed_per_second"]
    for name, ratio in result["supplied_over_consumed"].items():
        found = result["loaded"][name]
        yield row(
            f"loader, one worker from a cold start, {found['photographs']} photographs of {name}, "
            f"cache of {found['cache_mb']:.0f} MiB",
            f"{ratio:.1f}x as many crops ({found['images_per_second']:.0f} a second)",
            f"what training consumes ({consumed:.1f} a second: gru_resnet / additive, "
            f"{STEP.format(**result['settings'])})",
        )
    for name, ratio in result["metric_over_decoding_an_iteration"].items():
        yield row(
            f"metric {name} of a {KODAK} picture",
            f"{ratio:.3f} of the time",
            f"decode one iteration of it with {result['model']}",
        )


def peers(result: Result) -> Iterator[str]:
    if "skipped" in result:
        yield row("beside CompressAI", "not measured", result["skipped"])
        return
    seconds, version = result["seconds"], result["versions"]["compressai"]
    for name in dict.fromkeys(key.rpartition(" ")[0] for key in seconds if "ours" not in key):
        for work in ("encode", "decode"):
            ours, theirs = seconds[f"ours {work}"], seconds[f"{name} {work}"]
            yield row(
                f"{work} {KODAK}, {result['model']}, {result['iterations']} iterations "
                f"({result['bpp']:.2f} bpp), with entropy coding",
                f"{ours / theirs:.2f}x the time ({ours:.2f} s)",
                f"CompressAI {version} {name}, quality {result['quality']} ({theirs:.2f} s)",
            )


ROWS: dict[str, Callable[[Result], Iterator[str]]] = {
    "train_step": train_step,
    "train_step_compact": train_step,
    "grid": grid,
    "coding": coding,
    "entropy": entropy,
    "coder": coder,
    "supply": supply,
    "peers": peers,
}
