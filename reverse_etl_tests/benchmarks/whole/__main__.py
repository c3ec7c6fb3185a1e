"""``make bench CASE=whole``: runs the cases and writes the page and the chart.

``python -m reverse_etl_tests.benchmarks.whole [--runs 3] [--cases 100k,1m]``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from reverse_etl_tests.benchmarks.whole import figures, page
from reverse_etl_tests.benchmarks.whole.cases import asked
from reverse_etl_tests.benchmarks.whole.child import end_in_order
from reverse_etl_tests.benchmarks.whole.runs import measured, servers


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures case by case; the page is written again after each, so that what is done is kept."""
    parser = argparse.ArgumentParser(prog="python -m reverse_etl_tests.benchmarks.whole", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each case (3)")
    parser.add_argument("--cases", default="", help="a comma-separated list; all cases when left out")
    options = parser.parse_args(arguments)
    end_in_order()
    with servers() as server:
        for name, case in asked(options.cases).items():
            found = measured(case, server, options.runs)
            figures.keep("cases", {name: found})
            page.write()
            took = f"{figures.middle(found['runs'], 'wall_s'):.1f} s" if found["runs"] else "not run"
            print(f"{name}: {case.label}: {took}{found['error'] and ': failed: ' + found['error']}", flush=True)


if __name__ == "__main__":
    main()
