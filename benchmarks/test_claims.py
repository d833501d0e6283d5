"""The claims' tables: the least that passes cost is of the ways there are, and of the quickest passes of each."""

from __future__ import annotations

import pytest

from benchmarks.claims import Claim, claims, least_of


@pytest.mark.parametrize(("dtype", "passes"), [("float64", (1,)), ("float32", (1, 2))])
def test_both_rows_at_once_are_a_way_of_their_own(dtype, passes):
    up, *_ = claims(4, 2, dtype)
    apart, *at_once = (way for way in up.least if all(way))
    assert len(apart) == 2
    assert [tuple(len(names) for names in way) for way in at_once] == [passes]
    assert up.passes is not None
    for name in {name for way in up.least for names in way for name in names}:
        up.passes[name]()


def test_the_least_is_of_the_way_whose_passes_are_quickest_together():
    passes = dict.fromkeys(("limit: a fill", "a", "b", "c", "d"), print)
    claim = Claim("", "", {}, "", 2.0, passes, ((("a", "b"), ("c",)), (("d",),), ((), ("c",))))
    times = {"limit: a fill": [1.0] * 9, "a": [5.0] * 9, "b": [2.0] * 9, "c": [1.0] * 9, "d": [4.0] * 9}
    assert least_of(claim, times).endswith(": b + c = 3 [3, 3] times the limit.")
    assert least_of(claim, times | {"d": [2.5] * 9}).endswith(": d = 2.5 [2.5, 2.5] times the limit.")
