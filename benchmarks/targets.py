"""The table of public libraries that are certified: `python3 -m benchmarks.targets`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec

import click

from gradcheck.built_in import ADAPTERS
from gradcheck.certificate import Certificate, Result
from gradcheck.certify import EXAMPLES, certify
from gradcheck.strategies import keep_nothing
from gradcheck.verdict import Verdict

HEAD = ("target", "version", "operations", "pass", "fail", "inconclusive", "error", "not offered")


def row(certificate: Certificate) -> str:
    """One line: what was offered, and how many rows, one for each forward and input, had which verdict."""
    counts = certificate.counts
    offered = len({result.operation for result in certificate.results})
    cells = (
        f"`{certificate.target}`",
        certificate.environment.get("target", ""),
        offered,
        *(counts[name] for name in ("pass", "fail", "inconclusive", "error", "not_offered")),
    )
    return f"| {' | '.join(map(str, cells))} |"


def complaints(certificate: Certificate) -> Iterator[str]:
    """What did not pass, each operation once, with the first line of its reason."""
    bad: dict[str, list[Result]] = {}
    for result in certificate.results:
        if result.verdict is not Verdict.PASS:
            bad.setdefault(result.operation, []).append(result)
    for operation, results in bad.items():
        said = Counter(str(result.verdict) for result in results)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in said.items())
        reason = (results[0].reason or "").splitlines()
        yield f"- `{certificate.target}` {operation}: {verdicts}; {reason[0] if reason else 'no reason'}"


def table(certificates: Iterable[Certificate]) -> str:
    """Markdown: a row for each certificate, and what did not pass below."""
    found = list(certificates)
    head = f"| {' | '.join(HEAD)} |\n| --- | --- |{' ---: |' * (len(HEAD) - 2)}"
    lines = [head, *map(row, found)]
    below = [line for certificate in found for line in complaints(certificate)]
    return "\n".join([*lines, *([""] if below else []), *below])


@click.command()
@click.argument("targets", nargs=-1, type=click.Choice(list(ADAPTERS)))
@click.option("--examples", type=click.IntRange(min=1), default=EXAMPLES, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(targets: tuple[str, ...], examples: int, seed: int) -> None:
    """Certify TARGETS, all installed ones by default, and print the README's table."""
    keep_nothing()
    installed = [name for name in targets or ADAPTERS if find_spec(name) is not None]
    click.echo(table(certify(name, examples=examples, seed=seed) for name in installed))


if __name__ == "__main__":
    main()
