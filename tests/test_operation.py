from importlib.metadata import EntryPoint

import numpy as np
import pytest

from gradcheck.case import INTEGERS, Case, draw_values
from gradcheck.operation import (
    Input,
    Operation,
    UnknownOperation,
    collect,
    find,
    merge,
)

OPERATION = Operation("net", "", (Input("k", ("I",), "kernels"), Input("L2", ("J",), "named so")), abs, None)


def drawn(kind, shape=(400,), **more):
    (values,) = draw_values(Case({"x": shape}, kind=kind, **more), np.random.default_rng(3))
    return values


@pytest.mark.parametrize(
    ("axes", "shown"), [(("...",), "any shape"), (("N", "D"), "(N, D)"), (("K",), "(K,)"), ((), "()")]
)
def test_an_input_shows_its_axes(axes, shown):
    assert Input("x", axes, "").shape == shown


def test_copies_of_an_input_share_a_row_and_names_that_end_in_a_digit_keep_theirs():
    assert [OPERATION.row(name) for name in ("k", "k1", "k12", "L2")] == ["k", "k", "k", "L2"]


def test_integers_are_whole_within_range_and_not_scaled():
    values = drawn("integers", scales={"x": 0.5})
    assert np.array_equal(values, values.round())
    assert 0.9 * INTEGERS < np.abs(values).max() <= INTEGERS


def test_zeros_has_exact_zeros_and_others():
    assert 0.2 < np.mean(drawn("zeros") == 0) < 0.5


def test_ties_has_repeated_values():
    values = drawn("ties")
    assert len(np.unique(values)) < 20
    assert np.array_equal(2 * values, (2 * values).round())


def test_large_reaches_saturation():
    assert np.abs(drawn("large")).max() > 40


def test_scales_multiply_one_input_alone():
    shapes = {"x": (50,), "y": (50,)}
    plain = draw_values(Case(shapes), np.random.default_rng(0))
    scaled = draw_values(Case(shapes, scales={"y": 0.25}), np.random.default_rng(0))
    assert np.array_equal(plain[0], scaled[0])
    assert np.array_equal(plain[1] * 0.25, scaled[1])


def test_fixed_inputs_keep_their_values_and_are_not_judged():
    case = Case({"x": (2,), "c": (1, 2)}, fixed={"c": ((0.0, -3.0),)})
    assert case.judged == ("x",)
    assert np.array_equal(draw_values(case, np.random.default_rng(0))[1], [[0.0, -3.0]])


def test_a_table_of_truth_values_is_called_as_an_array_and_described_as_lists():
    case = Case({"x": (2,)}, {"table": ((True, False),), "layers": (("dense", 2),), "none": None})
    arguments = case.arguments()
    assert arguments["table"].dtype == bool
    assert arguments["table"].shape == (1, 2)
    assert arguments["layers"] == (("dense", 2),)
    assert case.describe() == {
        "shapes": {"x": [2]},
        "options": {"table": [[True, False]], "layers": [["dense", 2]], "none": None},
        "values": "gaussian",
        "number": 0,
    }


def test_the_size_of_a_case_counts_all_inputs():
    assert Case({"x": (2, 3), "b": (), "e": (0, 4)}).size == 7


def test_an_unknown_name_lists_those_that_come_near():
    with pytest.raises(UnknownOperation) as caught:
        find("nett", {"net": OPERATION, "dense": OPERATION})
    assert str(caught.value).splitlines() == [
        "operation: no operation is called 'nett'",
        "  nearest = net",
        "  the catalogue has: net, dense",
    ]


def test_two_catalogues_may_not_share_a_name():
    with pytest.raises(RuntimeError) as caught:
        merge({"net": OPERATION}, {"net": OPERATION}, "other:operations")
    assert str(caught.value).splitlines() == [
        "operations: two catalogues offer the same name",
        "  names = net, second from other:operations",
        "  each operation must come from exactly one catalogue",
    ]


def test_no_catalogue_says_how_to_get_one():
    with pytest.raises(RuntimeError) as caught:
        collect([])
    assert str(caught.value).splitlines() == [
        "operations: no catalogue is installed",
        "  entry points of gradcheck.catalogues = none, wanted one",
        "  install the project (pip install -e .), which registers its own",
    ]


def test_a_catalogue_is_found_through_its_entry_point():
    entry = EntryPoint("notes", "reference.catalogue:operations", "gradcheck.catalogues")
    assert "convolution" in collect([entry])
