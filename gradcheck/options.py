"""Options: how the command line says where a target runs, with what limits, and what a run goes on from."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gradcheck.certificate import Certificate
from gradcheck.kinks import POLICIES
from gradcheck.plan import EXAMPLES
from gradcheck.program import COMMAND
from gradcheck.variant import DTYPES
from gradcheck.warden import TIMEOUT, is_possible

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions alone
    """A number of bytes, with K, M, G or T for their powers of 1024.

    Examples
    --------
    >>> Size().convert("1.5G", None, None), Size().convert("512MiB", None, None)
    (1610612736, 536870912)
    """

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes; ends the program with exit status 2 where it is no size."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
        bytes_ = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
        if bytes_ <= 0:
            self.fail(
                f"{value!r} is no size: wanted bytes, or a number with K, M, G or T behind it, as 2G",
                param,
                ctx,
            )
        return bytes_


def variant_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of what a target runs on, and in which numbers: settings in brackets behind its name."""
    for option in (
        click.option(
            "--deterministic/--no-deterministic", default=None, help="Torch's deterministic algorithms."
        ),
        click.option(
            "--tf32/--no-tf32", default=None, help="Let torch take TF32 for float32.  [default: no]"
        ),
        click.option("--dtype", type=click.Choice(DTYPES), help="Of the cases.  [default: float64]"),
        click.option("--device", metavar="DEVICE", help="Where torch runs, as cuda or cpu."),
    ):
        function = option(function)
    return function


kinks_option = click.option(
    "--kinks",
    metavar="|".join(POLICIES),
    help="Where an operation has no derivative: leave it open, judge at a point drawn beside, or take the derivative "
    "from either side, or what lies between them. Goes before what operations declare.  [default: as they declare]",
)
"""The policy for kinks; which there are is said by what takes it, as to those who call it from Python."""


_OPTIONS = (
    click.option("--isolate/--no-isolate", default=None, help="Run the target in a worker process, which may "
                 "crash, or in this one.  [default: isolate what is named]"),
    click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                 help=f"For each case, in a worker.  [default: {TIMEOUT:g}]"),
    click.option("--memory", type=Size(), metavar="SIZE", help="For each worker: bytes, or as 2G."),
    click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Workers at once on this machine."),
    click.option("--dask", metavar="ADDRESS", help="Judge the cases on the Dask cluster with this scheduler."),
    click.option("--resume", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CERTIFICATE",
                 help="Go on from a certificate that was cut short, with its target, seed, examples, operations."),
)  # fmt: skip


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of where and how a run is done."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def isolation_options(function: Callable[..., None]) -> Callable[..., None]:
    """Those of them that say whether and how the target is isolated."""
    for option in reversed(_OPTIONS[:3]):
        function = option(function)
    return function


def isolates(named: bool, wanted: bool | None, elsewhere: object) -> bool:
    """Whether the target gets a worker: what was named on the command line does, unless told otherwise.

    Nobody has vouched for that, and a crash must not lose the results of the rest; the reference is ours, and
    gets one where it is judged `elsewhere` alone, among several jobs or on a cluster.
    """
    if wanted is not None:
        return wanted
    return bool(elsewhere) or (named and is_possible())


def asked_for(
    before: Certificate | None,
    target: str | None,
    names: Sequence[str],
    examples: int | None,
    seed: int | None,
    order: int | None,
    kinks: str | None = None,
) -> dict[str, Any]:
    """What `certify` is asked: as on the command line, else as in the certificate to go on from, else by default."""
    run = (before.unfinished or {}).get("run", {}) if before is not None else {}
    return {
        "implementation": target or run.get("target") or "reference",
        "operations": names or run.get("operations"),
        "inputs": run.get("inputs"),
        "examples": examples or run.get("examples") or EXAMPLES,
        "seed": run.get("seed", 0) if seed is None else seed,
        "order": order or run.get("order") or 1,
        "kinks": run.get("kinks") if kinks is None else kinks,
    }


def named(target: str | None, command: str | None) -> str | None:
    """The target that is meant; raises ValueError where two are named.

    Examples
    --------
    >>> named(None, "octave-cli adapter.m"), named("mine.py", None)
    ('$ octave-cli adapter.m', 'mine.py')
    """
    if target is not None and command is not None:
        raise ValueError(
            f"certify: one target is certified at a time\n  TARGET = {target}, --command = {command}\n"
            "  wanted one of the two"
        )
    return target if command is None else COMMAND + command


@contextmanager
def dask_executor(address: str | None) -> Iterator[Any]:
    """The executor of a Dask cluster while it is needed; None where no cluster is asked for.

    Raises
    ------
    RuntimeError
        Where dask.distributed is not installed, or no scheduler answers.
    """
    if address is None:
        yield None
        return
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise RuntimeError(
            f"--dask: the package distributed is not installed\n  missing = {error.name}\n"
            "  wanted: pip install 'gradcheck[distributed]'"
        ) from error
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise RuntimeError(
            f"--dask: no scheduler answers\n  address = {address}, {type(error).__name__}: {error}\n"
            "  wanted the address that dask scheduler prints, as tcp://HOST:8786"
        ) from error
    with client, client.get_executor() as executor:
        yield executor
