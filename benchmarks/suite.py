"""All benchmarks of speed, one after the other: `make bench`, about 20 minutes on 2 quiet cores.

Each part is a script of its own with its own JSON in outputs/bench/; this one runs them, says how
long each took, and writes their figures between two marks of docs/PERFORMANCE.md.

    python benchmarks/suite.py --table      only write the table anew from the JSON that is there
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnncodec.storage import write_text

RESULTS = Path("outputs/bench")
DOCUMENT = Path("docs/PERFORMANCE.md")
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"

COMPACT = "--cell=gru_resnet --width=0.5 --batch=8 --side=64 --reference=float32"
PARTS = {
    "train_step": ("train_step.py", ""),
    "train_step_compact": ("train_step.py", f"{COMPACT} --out={RESULTS}/train_step_compact.json"),
    "grid": ("grid.py", ""),
    "coding": ("coding.py", ""),
    "entropy": ("entropy.py", ""),
    "coder": ("coder.py", ""),
    "supply": ("supply.py", ""),
}
MINUTES = {
    "train_step": 2,
    "train_step_compact": 1,
    "grid": 3,
    "coding": 9,
    "entropy": 3,
    "coder": 0.5,
    "supply": 1.5,
}
"""Estimates for two quiet cores."""


def main() -> None:
    """Run the parts, or only those named; then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    if not options.table:
        run(options.parts or list(PARTS))
    write_text(DOCUMENT, with_table(DOCUMENT.read_text(encoding="utf-8"), "\n".join(table())))


def run(parts: list[str]) -> None:
    """One after the other; the first that fails ends it."""
    begun = time.perf_counter()
    print(f"about {sum(MINUTES[name] for name in parts):.0f} minutes on two quiet cores")
    for name in parts:
        script, arguments = PARTS[name]
        print(f"== {name}, about {MINUTES[name]} min", flush=True)
        start = time.perf_counter()
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments.split()]
        subprocess.run(command, check=True)
        print(f"== {name} took {minutes_since(start)}", flush=True)
    print(f"== all took {minutes_since(begun)}", flush=True)


def minutes_since(start: float) -> str:
    return f"{(time.perf_counter() - start) / 60:.1f} min"


def with_table(text: str, lines: str) -> str:
    """The document with what stands between the marks replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"


def table() -> Iterator[str]:
    """Lines of Markdown: a figure each, its reference beside it, for the parts that have JSON."""
    yield "| | figure | reference |"
    yield "|---|---|---|"
    machines = set()
    for name in PARTS:
        path = RESULTS / f"{name}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            yield from rows(name, result)
            machines.add(json.dumps(result["machine"]))
    yield ""
    yield from (", ".join(f"{k} {v}" for k, v in json.loads(m).items()) for m in machines)


def rows(name: str, result: dict[str, Any]) -> list[str]:
    """Of a part; one that asks for it to be measured again, if the JSON is of an older form."""
    try:
        return list(ROWS[name](result))
    except KeyError as missing:
        again = f"run `python benchmarks/suite.py {name}` anew"
        return [row(name, "measured by an older version", f"{again} (its JSON lacks {missing})")]


def row(what: str, figure: str, reference: str) -> str:
    return f"| {what} | {figure} | {reference} |"


def train_step_rows(result: dict[str, Any]) -> Iterator[str]:
    settings = result["settings"]
    size = "{cell}, width {width}, batch {batch}, {side}x{side}, T = {iterations}".format(
        **settings
    )
    threads = result["machine"]["torch_threads"]
    reference = result["reference"]
    called = {"float32": "the same in float32, unshared"}.get(reference, reference)
    median, peak = result["median_seconds"], result["peak_memory_gib"]
    yield row(
        f"training step, {size}",
        f"{result['speedup']:.2f}x ({median['package']:.2f} s, {peak['package']:.2f} GiB)",
        f"{called} ({median[reference]:.2f} s, {peak[reference]:.2f} GiB), {threads} threads",
    )
    yield row(
        f"of the bf16 matmul rate, {result['tflop_per_step']:.2f} TFLOP a step",
        f"{result['fraction_of_bf16_matmul']:.0%}",
        f"{result['matmul_tflops']['bf16']:.3f} TFLOP/s",
    )


def grid_rows(result: dict[str, Any]) -> Iterator[str]:
    size = "width {width}, batch {batch}, {side}x{side}, T = {iterations}".format(
        **result["settings"]
    )
    for name, ratio in result["over_float32"].items():
        yield row(f"training step, {name}", f"{ratio:.2f}x", f"the same in float32, {size}")
    for name, grown in result["growth_when_4_times"].items():
        yield row(
            f"4 times the {name}",
            f"{grown['time']:.2f}x the time, {grown['memory']:.2f}x the memory",
            f"gru_resnet / additive, {size}",
        )


def coding_rows(result: dict[str, Any]) -> Iterator[str]:
    for count, found in result["against_textbook"].items():
        yield from textbook_rows(int(count), found)
    rate = result["to_rate"]
    yield row(
        f"encode 768x512 to {rate['bpp_asked']} bpp, packaged codec (T = {rate['iterations']})",
        f"{rate['over_iterations']:.2f}x the time ({rate['seconds']:.2f} s)",
        f"to T = {rate['iterations']} at once ({rate['seconds_by_iterations']:.2f} s)",
    )
    for size, grown in result["growth"].items():
        yield row(
            f"encode and decode {size}, packaged codec, T = 3",
            f"{grown['us_per_pixel']:.2f} us a pixel, peak {grown['peak_gib']:.2f} GiB",
            "linear",
        )
    alone = result["batches"]["1"]
    for together, spent in result["batches"].items():
        yield row(
            f"encode {together} of 256x256 together, T = 3",
            f"{alone / spent:.2f}x an image ({spent:.3f} s)",
            "one at a time",
        )


def textbook_rows(count: int, found: dict[str, Any]) -> Iterator[str]:
    """Of so many iterations."""
    seconds = found["seconds"]
    for work in ("encode", "decode"):
        yield row(
            f"{work} 768x512, compact lstm, T = {count}",
            f"{found[f'{work}_over_textbook']:.2f}x ({seconds[work]:.2f} s)",
            f"textbook, float32 ({seconds[f'textbook_{work}']:.2f} s)",
        )
    parts = {
        "encode 1": ("encode_1", 1 / count),
        f"decode {count // 2}": ("decode_half", 1 / 2),
        "decode 1": ("decode_1", 1 / count),
    }
    for what, (key, ideal) in parts.items():
        yield row(
            f"{what} of {count} iterations, share of the time of all",
            f"{found[f'{key}_share']:.3f}",
            f"{ideal:.4g}",
        )


def entropy_rows(result: dict[str, Any]) -> Iterator[str]:
    for name, speed in result["speed"].items():
        encode, decode = speed["encode_parallel_s"], speed["decode_diagonals_s"]
        yield row(
            f"entropy model {name}, random weights, 768x512, T = 16",
            f"encode {encode:.2f} s, decode {decode:.2f} s",
            f"one position at a time takes {speed['one_at_a_time_over_decode']:.1f}x as long",
        )
    whole = result["end_to_end"]
    for work in ("encode", "decode"):
        yield row(
            f"entropy {work} with range coder, packaged model, 768x512, T = 16",
            f"{whole[f'{work}_s']:.2f} s, {whole[f'{work}_over_parallel_pass']:.2f}x the time",
            f"parallel pass for the probabilities ({whole['parallel_pass_s']:.2f} s)",
        )
    yield row(
        f"its {whole['bytes']:,} bytes over the entropy",
        f"{whole['bytes_over_entropy']:.2%}",
        "cross-entropy of the packaged model",
    )


def coder_rows(result: dict[str, Any]) -> Iterator[str]:
    yield row(
        "range coder, bytes over the entropy", f"{result['over_entropy']:.2%}", "cross-entropy"
    )


def supply_rows(result: dict[str, Any]) -> Iterator[str]:
    consumed = result["consumed_per_second"]
    for name, ratio in result["supplied_over_consumed"].items():
        found = result["loaded"][name]
        yield row(
            f"loader, one worker, cold start, {found['photographs']} photographs of {name}",
            f"{ratio:.1f}x ({found['images_per_second']:.0f} images/s, "
            f"cache of {found['cache_mb']:.0f} MiB)",
            f"{consumed:.1f} images/s, what compact training consumes; target 5x",
        )
    for name, ratio in result["metric_over_decoding_an_iteration"].items():
        yield row(f"{name} of 768x512", f"{ratio:.3f}", "decoding one iteration")


ROWS = {
    "train_step": train_step_rows,
    "train_step_compact": train_step_rows,
    "grid": grid_rows,
    "coding": coding_rows,
    "entropy": entropy_rows,
    "coder": coder_rows,
    "supply": supply_rows,
}


if __name__ == "__main__":
    main()
