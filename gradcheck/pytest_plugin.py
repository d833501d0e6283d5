"""pytest's face: each input of each operation is a test. A face without logic of its own."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gradcheck.arguments import one_of
from gradcheck.certificate import NOT_OFFERED, Certificate
from gradcheck.certify import EXAMPLES, certify, prepare, rows, settled
from gradcheck.implementation import Implementation
from gradcheck.importing import TargetError
from gradcheck.judge import CONDUCT, FORWARD, STEP
from gradcheck.kinks import POLICIES
from gradcheck.operation import Operation, UnknownOperation
from gradcheck.report import words
from gradcheck.verdict import GradientMismatch, InconclusiveCheck, Verdict

ROOT = "gradcheck"
"""What the id of every item begins with: gradcheck::TARGET::convolution::k."""


@dataclass
class Plan:
    """One target's part of a session; the cases of an operation are drawn once, when its first item runs.

    Each item is judged by itself: a row says the same whichever others run, in whichever worker.
    """

    target: str
    implementation: Implementation
    operations: tuple[Operation, ...]
    examples: int
    seed: int
    kinks: str | None = None
    drawn: dict[str, Operation] = field(default_factory=dict)

    def judged(self, operation: Operation, row: str) -> Certificate:
        """The certificate of one row."""
        name, examples, seed = operation.name, self.examples, self.seed
        if name not in self.drawn:
            self.drawn[name] = settled(operation, examples=examples, seed=seed)
        return certify(
            self.implementation,
            [name],
            inputs=[row] if row in (FORWARD, STEP) else [row, CONDUCT],
            examples=examples,
            seed=seed,
            kinks=self.kinks,
            catalogue={name: self.drawn[name]},
        )

    def ids(self) -> list[str]:
        """The ids of all items, in their order."""
        return [
            f"{ROOT}::{self.target}::{each.name}::{row}"
            for each in self.operations
            for row in self.rows(each)
        ]

    def rows(self, operation: Operation) -> tuple[str, ...]:
        """Every row that a target can offer, and its step where it does."""
        offer = self.implementation.offers.get(operation.name)
        return (*rows(operation), STEP) if offer and offer.step else rows(operation)


class Plugin:
    """The hooks of a session that was given --gradcheck."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.plans: list[Plan] = []

    def pytest_report_header(self) -> list[str]:
        """Which targets are judged, and with what."""
        return [
            f"gradcheck: {each.target} ({each.examples} examples, seed {each.seed}"
            f"{', kinks ' + each.kinks if each.kinks else ''})"
            for each in self.plans
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Load the targets before anything is collected: a wrong call ends the session with status 4."""
        option = self.config.option
        examples = EXAMPLES if option.gradcheck_examples is None else option.gradcheck_examples
        seed = option.gradcheck_seed or 0
        for target in dict.fromkeys(option.gradcheck):
            try:
                kinks = option.gradcheck_kinks and one_of(
                    option.gradcheck_kinks, POLICIES, "certify", "kinks"
                )
                implementation, asked = prepare(
                    target, option.gradcheck_operation or None, examples=examples, seed=seed
                )
            except (TargetError, UnknownOperation, ValueError, RuntimeError) as error:
                raise pytest.UsageError(f"--gradcheck {target}\n{error}") from error
            self.plans.append(Plan(target, implementation, asked, examples, seed, kinks))
        self._take_ids()

    def _take_ids(self) -> None:
        """Take our ids out of the arguments, where pytest would look for files of these names.

        Kept in the options, since workers get the arguments as they are left here.
        """
        option, arguments = self.config.option, self.config.args
        if not hasattr(option, "gradcheck_ids"):
            option.gradcheck_ids = [each for each in arguments if each.startswith(f"{ROOT}::")]
            option.gradcheck_alone = len(option.gradcheck_ids) == len(arguments)
        known = [each for plan in self.plans for each in plan.ids()]
        for wanted in option.gradcheck_ids:
            if not any(_within(each, wanted) for each in known):
                raise pytest.UsageError(f"not found: {wanted}\n(no match in the items of --gradcheck)")
        ours = (
            [] if option.gradcheck_alone else [each for each in arguments if each not in option.gradcheck_ids]
        )
        arguments[:] = ours

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add our items, before others select from them."""
        wanted = self.config.option.gradcheck_ids
        for plan in self.plans:
            node = Target.from_parent(session, name=plan.target, nodeid=f"{ROOT}::{plan.target}", plan=plan)
            items.extend(
                item
                for item in session.genitems(node)
                if not wanted or any(_within(item.nodeid, each) for each in wanted)
            )


def _within(node: str, wanted: str) -> bool:
    return node == wanted or node.startswith(f"{wanted}::")


class Target(pytest.Collector):
    """A target, of operations."""

    def __init__(self, plan: Plan, **options: Any) -> None:
        super().__init__(**options)
        self.plan = plan
        self.add_marker(pytest.mark.gradcheck)

    def collect(self) -> Iterator[pytest.Collector]:
        """Every operation that is asked for, whether it is offered or not."""
        for operation in self.plan.operations:
            yield Rows.from_parent(self, name=operation.name, plan=self.plan, operation=operation)


class Rows(pytest.Collector):
    """An operation, of rows: its forward and its inputs."""

    def __init__(self, plan: Plan, operation: Operation, **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.operation = plan, operation

    def collect(self) -> Iterator[pytest.Item]:
        """Every row."""
        for row in self.plan.rows(self.operation):
            yield Row.from_parent(self, name=row, plan=self.plan, operation=self.operation)


class Row(pytest.Item):
    """A row: passes where the certificate's does, is skipped where it is not offered, else fails."""

    def __init__(self, plan: Plan, operation: Operation, **options: Any) -> None:
        super().__init__(**options)
        self.plan, self.operation = plan, operation
        self.missing = f"{plan.target}: {operation.name}, {self.name}: {NOT_OFFERED}"
        if operation.name not in plan.implementation.offers:
            self.add_marker(pytest.mark.skip(reason=self.missing))

    def runtest(self) -> None:
        """Judge the row, and raise what the certificate says of it."""
        if self.operation.name not in self.plan.implementation.offers:
            pytest.skip(self.missing)
        found = self.plan.judged(self.operation, self.name)
        if not found.complete:
            raise KeyboardInterrupt
        if not found.results:
            pytest.skip(self.missing)
        self.user_properties += _properties(found)
        account = "\n\n".join(words.accounts(found))
        if found.verdict is Verdict.INCONCLUSIVE:
            raise InconclusiveCheck(account)
        if found.verdict is not Verdict.PASS:
            raise GradientMismatch(account)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The account alone, where the row was judged: our own frames say nothing of the fault."""
        if excinfo.errisinstance((GradientMismatch, InconclusiveCheck)):
            return excinfo.getrepr(style="value")
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int, str]:
        """Where the code under test stands, as far as Python can tell."""
        offer = self.plan.implementation.offers.get(self.operation.name)
        path, line = _place(offer and {FORWARD: offer.forward, STEP: offer.step}.get(self.name, offer.vjp))
        return path or self.path, line, f"{self.operation.name}.{self.name}"


def _place(code: Any) -> tuple[Path | None, int]:
    """File and line (from 0) of a function; no file where it has no source."""
    try:
        return Path(str(inspect.getsourcefile(code))), inspect.getsourcelines(code)[1] - 1
    except (TypeError, OSError):
        return None, 0


def _properties(certificate: Certificate) -> Sequence[tuple[str, object]]:
    """What a report keeps of a row beside its outcome."""
    found = certificate.results[0]
    return [
        ("verdict", words.verdict(found)),
        ("evidence", words.evidence(found)),
        ("cases", found.cases),
        ("resolution", words.small(found.resolution)),
        ("miss_probability", words.small(found.miss_probability)),
        ("seed", certificate.seed),
        *([("kinks", certificate.kinks)] if certificate.kinks else []),
    ]
