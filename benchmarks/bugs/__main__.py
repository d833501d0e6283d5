"""`python -m benchmarks.bugs`: every right and every wrong gradient of the collection through `check_vjp`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.bugs import bugs


def verdict(f: Callable[..., Any], vjp: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[str, str]:
    """What gradcheck says where a result may share no memory, and the first line of its reason."""
    from gradcheck import check_vjp

    try:
        check = check_vjp(f, vjp, inputs, strict=True)
    except Exception as failure:
        return "raised", f"{type(failure).__name__}: {failure}".splitlines()[0]
    return str(check.verdict), " ".join(check.reason.strip().splitlines()[:1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of verdicts; 0 where every wrong one failed and every right one passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bugs", description=__doc__)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="bugs whose name holds this")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    chosen = [bug for bug in bugs() if given.only in bug.name]
    failed = passed = 0
    for bug in chosen:
        wrong, reason = verdict(bug.f, bug.wrong_vjp, tuple(x.copy(order="K") for x in bug.inputs))
        right, complaint = verdict(bug.f, bug.right_vjp, bug.inputs)
        failed, passed = failed + (wrong == "fail"), passed + (right == "pass")
        print(f"{bug.name:<48} {bug.kind:<12} wrong: {wrong:<13} right: {right:<13}")
        if wrong != "fail":
            print(f"    wrong one, {wrong}: {reason}\n    {bug.source}")
        if right != "pass":
            print(f"    right one, {right}: {complaint}")
    print(f"{len(chosen)} bugs: {failed} of the wrong ones failed, {passed} of the right ones passed")
    return 0 if failed == passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
