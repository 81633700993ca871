"""The table of benchmarks/README.md, written from the files in `results/`; no figure in it comes from elsewhere.

    python benchmarks/tables.py

A test says when the page is behind.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cases import CASES, Case
from figures import of_roofline, operations_per_second, pairs_per_second, peak_bytes, ratios

HERE = Path(__file__).parent
PAGE, RESULTS = HERE / "README.md", HERE / "results"
BEGIN = "<!-- the table below is written by `python benchmarks/tables.py` -->"
END = "<!-- end of the table -->"
_HEAD = (
    "| case | Tiebreak, pairs/s | TRL tuned | times tuned TRL | TRL defaults | times defaults | times own packing | "
    "memory, GiB (Tiebreak / tuned / defaults) | of the matrix rate | of the roofline |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """The results as a table in Markdown, the published cases first."""
    if not results:
        return "No results are kept with this version yet: the commands above make them.\n"
    order = list(reversed(list(CASES)))
    cases = sorted(results, key=lambda result: order.index(Case(**result["case"]).name))
    return _HEAD + "".join(f"| {' | '.join(_cells(result))} |\n" for result in cases)


def page(written: str, results: Sequence[Mapping[str, Any]]) -> str:
    """The page with the table as it is now.

    Args:
        written: the page as it is; what stands outside `BEGIN` and `END` is kept.
        results: what `results/` holds.
    """
    head, found, rest = written.partition(BEGIN)
    _, closed, tail = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{PAGE} has no lines {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n\n{table(results)}\n{END}{tail}"


def read_results() -> list[dict[str, Any]]:
    """All results."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def _cells(result: Mapping[str, Any]) -> list[str]:
    case = Case(**result["case"])
    sides = {name: [one[name] for one in result["rounds"]] for name in result["sides"]}
    ours = sides["tiebreak"]

    def speed(name: str) -> str:
        return f"{pairs_per_second(sides[name], case.batch_size):.3f}" if name in sides else "not measured"

    def times(name: str) -> str:
        return ratios(ours, sides[name]).text() if name in sides else ""

    memory = " / ".join(
        f"{peak_bytes(sides[name]) / 2**30:.2f}" if name in sides else "–" for name in ("tiebreak", "trl-tuned", "trl")
    )
    rate = result["matrix_rate"]
    share = f"{operations_per_second(ours) / rate:.0%} of {rate / 1e9:,.0f} GFLOP/s"
    return [
        case.title,
        speed("tiebreak"),
        speed("trl-tuned"),
        times("trl-tuned"),
        speed("trl"),
        times("trl"),
        times("packed"),
        memory,
        share,
        f"{of_roofline(ours, rate, result['memory_rate']):.0%}" if "memory_rate" in result else "",
    ]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), read_results()), encoding="utf-8")
