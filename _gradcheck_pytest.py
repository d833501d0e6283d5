"""What pytest loads at every start: options alone. The package and NumPy are imported once one is given.

Outside of `gradcheck`, since importing a module of a package imports the package.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; what they mean is gradcheck.pytest_plugin's."""
    group = parser.getgroup("gradcheck", "gradcheck: certify derivatives")
    group.addoption(
        "--gradcheck",
        action="append",
        default=[],
        metavar="TARGET",
        help="A test for each input of each operation that TARGET (a module, a .py file, or either with :object "
        "behind it) implements; repeatable. -m gradcheck selects them.",
    )
    group.addoption(
        "--gradcheck-operation",
        action="append",
        default=[],
        metavar="NAME",
        help="Only this operation; repeatable.",
    )
    group.addoption("--gradcheck-examples", type=int, metavar="N", help="Cases for each operation.")
    group.addoption("--gradcheck-seed", type=int, metavar="S", help="The same seed gives the same verdicts.")
    group.addoption(
        "--gradcheck-kinks",
        metavar="POLICY",
        help="Where an operation has no derivative: refuse, avoid, one_sided or subgradient, before what it declares.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Bring in the plugin where there is something for it to do."""
    config.addinivalue_line("markers", "gradcheck: a derivative that --gradcheck asks to be certified")
    if config.getoption("gradcheck"):
        from gradcheck.pytest_plugin import Plugin

        config.pluginmanager.register(Plugin(config), "gradcheck-items")
