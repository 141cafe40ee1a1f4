"""Writing what a finished tile set says of itself: the manifest, and two lists beside it."""

import json
from collections import Counter
from typing import Any

from rnncodec.data.tile_manifest import FORMAT, NAME
from rnncodec.errors import DataError
from rnncodec.machine.storage import replacing, sha256_of, write_text
from rnncodec.prepare.ledger import Ledger
from rnncodec.prepare.listing import length_and_hash

IMAGES, REJECTED, SUMS = "images.jsonl", "rejected.jsonl", "SHA256SUMS"


def write(
    ledger: Ledger, plan: dict[str, Any], photographs: dict[str, list[dict[str, Any]]]
) -> None:
    """Write the lists, the sums for `sha256sum -c`, and the manifest, which comes last.

    Raises:
        DataError: no tile came of the images.
        StorageError: one could not be written.
    """
    folder = ledger.destination
    counts = write_lists(ledger)
    if not ledger.shards:
        raise DataError(
            f"no tile came of {counts['images']} images: rejected {counts['rejected'] or 'none'}, "
            f"held out {counts['held_out']}; see --filter, --min-side and --val-fraction "
            f"({ledger.folder} has the reasons)"
        )
    images, digest = length_and_hash(ledger.listing)
    lists = {name: sha256_of(folder / name) for name in (IMAGES, REJECTED)}
    content = {
        "format": FORMAT,
        **plan,
        "source": plan["source"]
        | json.loads(ledger.outline.read_text())
        | {"images": images, "listing_sha256": digest},
        "counts": counts,
        "shards": [shard.__dict__ for shard in ledger.shards],
        **photographs,
        "lists": lists,
    }
    sums = {shard.name: shard.sha256 for shard in ledger.shards} | lists
    sums |= {item["file"]: item["sha256"] for items in photographs.values() for item in items}
    write_text(folder / SUMS, "".join(f"{value}  {name}\n" for name, value in sums.items()))
    write_text(folder / NAME, json.dumps(content, indent=1) + "\n")


def write_lists(ledger: Ledger) -> dict[str, Any]:
    """Write what became of each image, and the rejected ones apart; count them."""
    folder = ledger.destination
    totals: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    noticed: Counter[str] = Counter()
    with replacing(folder / IMAGES) as every, replacing(folder / REJECTED) as some:  # noqa: SIM117
        with every.open("w", encoding="ascii") as images, some.open("w", encoding="ascii") as out:
            for fact in ledger.images():
                line = json.dumps(fact) + "\n"
                images.write(line)
                if "rejected" in fact:
                    out.write(line)
                    rejected[fact["rejected"]] += 1
                noticed.update(fact.get("noticed", ()))
                totals["images"] += 1
                totals["held_out"] += fact.get("held_out", False)
                totals["used"] += "tiles" in fact
                totals["tiles"] += fact.get("tiles", 0)
    kinds = {"rejected": dict(sorted(rejected.items())), "noticed": dict(sorted(noticed.items()))}
    return {key: totals[key] for key in ("images", "used", "held_out", "tiles")} | kinds
