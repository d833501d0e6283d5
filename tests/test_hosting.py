import io
import os
import random
import sys
import warnings

import numpy as np
import pytest

from gradcheck.hosting import Host


def visited(*actions):
    host = Host()
    with host.stay():
        for action in actions:
            with host.visit():
                action()
    return host.notes


def replaced():
    sys.stdout = io.StringIO()


def test_a_quiet_target_leaves_no_notes():
    assert visited(lambda: None) == ()


@pytest.mark.parametrize(
    ("action", "note"),
    [
        (lambda: print("hello\nthere"), "printed to standard output: 'hello'"),
        (lambda: print("x" * 1000), f"printed to standard output: '{'x' * 60}…'"),
        (lambda: sys.stdout.close(), None),
        (lambda: np.seterr(divide="raise"), "changed how NumPy handles divide (warn → raise); put back"),
        (lambda: np.random.seed(1), "changed the state of NumPy's global random generator; put back"),  # noqa: NPY002
        (lambda: random.seed(1), "changed the state of the module random; put back"),
        (lambda: os.chdir("/"), "changed the working folder; put back"),
        (lambda: np.set_printoptions(precision=2), "changed NumPy's print options; put back"),
        (
            lambda: warnings.warn("old\nand more", DeprecationWarning, stacklevel=1),
            "warned: DeprecationWarning: old",
        ),
    ],
)
def test_what_it_does_is_noted_and_put_back(action, note, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = (np.geterr(), np.get_printoptions()["precision"], os.getcwd(), random.getstate())
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert visited(action, action) == (() if note is None else (f"the target {note}",))
    assert (np.geterr(), np.get_printoptions()["precision"], os.getcwd(), random.getstate()) == before
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert capsys.readouterr().out == ""


def test_a_standard_output_that_was_replaced_is_put_back():
    mine = sys.stdout
    assert visited(replaced) == ("the target replaced sys.stdout; put back",)
    assert sys.stdout is mine


def test_the_filters_of_warnings_are_put_back_and_a_warning_is_no_error_even_when_all_are():
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert visited(
            lambda: warnings.warn("old", stacklevel=1), lambda: warnings.simplefilter("ignore")
        ) == ("the target warned: UserWarning: old",)
    assert list(warnings.filters) == before


def test_what_is_raised_goes_through_with_everything_put_back():
    def bad():
        np.seterr(all="raise")
        sys.exit(3)

    before = np.geterr()
    with pytest.raises(SystemExit):
        visited(bad)
    assert np.geterr() == before


def test_warnings_of_numpy_s_arithmetic_are_noted():
    assert visited(lambda: np.exp(np.array([1000.0]))) == (
        "the target warned: RuntimeWarning: overflow encountered in exp",
    )
