"""`OPENBLAS_NUM_THREADS=1 python -m benchmarks.battery`: the whole battery through a checker, and its score.

With threads of its own for every small product, BLAS takes several times as long where the cores are shared.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from benchmarks.battery import SMALLEST, cases
from benchmarks.battery.judges import JUDGES
from benchmarks.battery.score import judge_all, summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the score; 0 where every case went as wanted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.battery", description="The whole battery through a checker."
    )
    parser.add_argument("--dtype", choices=sorted(SMALLEST), default="float64")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs and the mutants")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="cases whose name holds this")
    parser.add_argument("--right", action="store_true", help="right gradients alone")
    parser.add_argument("--judge", choices=sorted(JUDGES), default="gradcheck")
    parser.add_argument("--method", help="passed on to check_vjp")
    parser.add_argument("--stay", action="store_true", help="f in the dtype of its inputs alone")
    given = parser.parse_args(arguments)
    options = {"method": given.method} if given.method else {}
    options |= {"finer": None} if given.stay else {}
    chosen = (
        case
        for case in cases(given.dtype, given.seed)
        if given.only in case.name and not (given.right and case.wrong)
    )
    warnings.simplefilter("ignore")
    outcomes = list(judge_all(chosen, JUDGES[given.judge](**options)))
    print(summary(outcomes))
    return 0 if all(outcome.as_wanted for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
