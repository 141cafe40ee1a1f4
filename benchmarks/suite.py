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

from report_rows import ROWS, Result, row
from rnncodec.machine.storage import write_text

RESULTS = Path("outputs/bench")
DOCUMENT = Path("docs/PERFORMANCE.md")
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"

COMPACT = "--cell=gru_resnet --width=0.5 --batch=8 --side=64 --reference=float32"
PARTS = {
    "train_step": ("train_step.py", ""),
    "train_step_compact": ("train_step.py", f"{COMPACT} --out={RESULTS}/train_step_compact.json"),
    "grid": ("train_step_grid.py", ""),
    "coding": ("coding.py", ""),
    "entropy": ("entropy.py", ""),
    "coder": ("coder.py", ""),
    "supply": ("dataloader.py", ""),
    "peers": ("peers.py", ""),
}
MINUTES = {
    "train_step": 2,
    "train_step_compact": 1,
    "grid": 3,
    "coding": 9,
    "entropy": 3,
    "coder": 0.5,
    "supply": 1.5,
    "peers": 1,
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
    """Lines of Markdown: the rows of all parts, then the clock and the machine of each."""
    yield "| what | measured | against |"
    yield "|---|---|---|"
    machines: dict[str, list[str]] = {}
    for name in PARTS:
        again = f"run `python benchmarks/suite.py {name}`"
        path = RESULTS / f"{name}.json"
        if not path.exists():
            yield row(f"part {name}", "not measured", again)
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        try:
            lines, machine = list(ROWS[name](result)), circumstances(result)
        except KeyError as missing:
            reason = f"its JSON lacks {missing}"
            yield row(f"part {name}", "measured by an older version", f"{again} anew ({reason})")
            continue
        yield from lines
        machines.setdefault(machine, []).append(name)
    yield ""
    yield from (f"* {', '.join(names)}: {machine}" for machine, names in machines.items())


def circumstances(result: Result) -> str:
    """The clock and the machine of a part."""
    described = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    return f"{result['clock']}; {described}"


if __name__ == "__main__":
    main()
