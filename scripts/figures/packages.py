"""Draws the packages and which imports which, from the code and the floors of the layout test.

    python scripts/figures/packages.py            writes docs/pictures/packages.svg

An arrow leads from a package to one that it imports; where a longer way of arrows leads there
anyway, the short one is left out. So are those to the lowest floor, which all may use.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "rnncodec"
PICTURE = ROOT / "docs" / "pictures" / "packages.svg"

BOX_W, BOX_H, GAP_X, GAP_Y, MARGIN = 112, 34, 44, 52, 24
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}">
<style>text {{ font: 15px sans-serif; text-anchor: middle; fill: #1a1a1a }}
rect {{ fill: #e8f0fa; stroke: #2a5d9f }} rect.file {{ fill: #f6f6f6; stroke: #777777 }}
path {{ fill: none; stroke: #5a6b7d; stroke-width: 1.2 }} svg {{ background: #ffffff }}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
orient="auto"><path d="M0 0 L8 4 L0 8 z" style="fill: #5a6b7d; stroke: none"/></marker></defs>
<rect width="{w}" height="{h}" style="fill: #ffffff; stroke: none"/>
"""


def main() -> None:
    PICTURE.write_text(drawn(*layout()), encoding="utf-8")
    print(PICTURE)


def layout() -> tuple[list[list[str]], dict[str, set[str]]]:
    """Floors from the top down, and what each package imports (of ours)."""
    sys.path.insert(0, str(ROOT))
    test = importlib.import_module("tests.test_layout")
    floor = {room: number for number, rooms in enumerate(test.FLOORS) for room in rooms}
    arrows: dict[str, set[str]] = {room: set() for room in floor}
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room in floor:
            arrows[room] |= set(test.rooms(path, floor)) - {room}
    return [sorted(rooms) for rooms in reversed(test.FLOORS)], arrows


def reachable(start: str, arrows: dict[str, set[str]]) -> set[str]:
    """All that is imported, at first or second hand."""
    direct = arrows[start]
    return direct | {far for near in direct for far in reachable(near, arrows)}


def reduced(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that a longer way replaces."""
    return {
        room: targets - {far for near in targets for far in reachable(near, arrows)}
        for room, targets in arrows.items()
    }


def ordered(floors: list[list[str]], arrows: dict[str, set[str]]) -> list[list[str]]:
    """Each floor sorted by the mean place of its importers, so that fewer arrows cross."""
    place: dict[str, float] = {}
    result = []
    for rooms in floors:
        above = {room: [place[o] for o in place if room in arrows[o]] for room in rooms}
        mean = {room: sum(xs) / len(xs) if xs else 0.5 for room, xs in above.items()}
        row = sorted(rooms, key=lambda room: (mean[room], room))
        place |= {room: (number + 1) / (len(row) + 1) for number, room in enumerate(row)}
        result.append(row)
    return result


def drawn(floors: list[list[str]], arrows: dict[str, set[str]]) -> str:
    """The picture as SVG."""
    arrows = reduced(arrows)
    arrows = {room: targets - set(floors[-1]) for room, targets in arrows.items()}
    floors = ordered(floors, arrows)
    columns = max(map(len, floors))
    width = 2 * MARGIN + columns * (BOX_W + GAP_X)
    height = 2 * MARGIN + len(floors) * BOX_H + (len(floors) - 1) * GAP_Y
    centre = {
        room: (width * (number + 1) / (len(row) + 1), MARGIN + level * (BOX_H + GAP_Y))
        for level, row in enumerate(floors)
        for number, room in enumerate(row)
    }
    lines = [HEAD.format(w=width, h=height)]
    lines += [arrow(centre[a], centre[b]) for a in sorted(arrows) for b in sorted(arrows[a])]
    lines += [box(room, *middle) for room, middle in centre.items()]
    return "\n".join([*lines, "</svg>\n"])


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """From the lower edge of one box to the upper edge of another, as a curve."""
    (x, y), (u, v) = start, end
    y += BOX_H
    bend = min(GAP_Y, (v - y) / 2)
    curve = f"M{x:.0f} {y:.0f} C{x:.0f} {y + bend:.0f} {u:.0f} {v - bend:.0f} {u:.0f} {v - 1:.0f}"
    return f'<path d="{curve}" marker-end="url(#tip)"/>'


def box(room: str, x: float, y: float) -> str:
    """A package in blue, a single module in grey."""
    kind = "" if (SOURCE / room).is_dir() else ' class="file"'
    rectangle = f'<rect{kind} x="{x - BOX_W / 2:.0f}" y="{y:.0f}" width="{BOX_W}"'
    return f'{rectangle} height="{BOX_H}" rx="5"/><text x="{x:.0f}" y="{y + 22:.0f}">{room}</text>'


if __name__ == "__main__":
    main()
