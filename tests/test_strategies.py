import os
import subprocess
import sys

import pytest

from gradcheck.case import Case
from gradcheck.strategies import cases, draw_cases, key, one_of, sizes, smallest, tables


def draw_box(draw):
    return Case({"x": (draw(sizes(1, 9)), draw(sizes(1, 9)))}, {"flag": draw(one_of("plain", "odd"))})


BOXES = cases(draw_box)


def shapes(found):
    return [case.shapes["x"] for case in found]


def test_the_same_seed_draws_the_same_cases_and_another_seed_others():
    assert draw_cases(BOXES, 20, 1) == draw_cases(BOXES, 20, 1)
    assert draw_cases(BOXES, 20, 1) != draw_cases(BOXES, 20, 2)


def test_another_process_draws_the_same_cases(tmp_path):
    code = (
        "from gradcheck.strategies import *; from gradcheck.case import Case\n"
        "box = lambda draw: Case({'x': (draw(sizes(1, 9)), draw(sizes(1, 9)))},"
        " {'flag': draw(one_of('plain', 'odd'))})\n"
        "print([(case.shapes['x'], case.options['flag']) for case in draw_cases(cases(box), 20, 5)])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    here = [(case.shapes["x"], case.options["flag"]) for case in draw_cases(BOXES, 20, 5)]
    assert out.stdout.strip() == str(here)


def test_cases_are_different_numbered_and_as_many_as_asked():
    found = draw_cases(BOXES, 30, 0)
    assert len({key(case) for case in found}) == 30
    assert [case.seed for case in found] == list(range(30))


def test_edges_come_first_and_count():
    edges = (Case({"x": (50, 1)}), Case({"x": (1, 50)}))
    assert shapes(draw_cases(BOXES, 5, 0, edges=edges))[:2] == [(50, 1), (1, 50)]
    assert shapes(draw_cases(BOXES, 1, 0, edges=edges)) == [(50, 1)]


def test_a_strategy_that_has_no_more_gives_what_it_has():
    few = cases(lambda draw: Case({"x": (draw(sizes(1, 3)),)}))
    assert sorted(shapes(draw_cases(few, 20, 0))) == [(1,), (2,), (3,)]


def test_drawing_prints_nothing(capsys):
    draw_cases(BOXES, 10, 0)
    smallest(BOXES, lambda case: True, Case({"x": (9, 9)}), seed=0, budget=10)
    assert capsys.readouterr() == ("", "")


def test_a_failing_case_is_shrunk_to_the_smallest():
    known = Case({"x": (9, 9)}, {"flag": "odd"}, seed=7)

    def fails(case):
        return case.shapes["x"][0] >= 3 and case.shapes["x"][1] >= 2

    found = smallest(BOXES, fails, known, seed=0, budget=60)
    assert found.shapes["x"] == (3, 2)
    assert found.seed == 7


def test_shrinking_asks_no_more_than_its_budget_and_each_case_once():
    asked = []

    def fails(case):
        asked.append(key(case))
        return case.size >= 4

    smallest(BOXES, fails, Case({"x": (9, 9)}), seed=0, budget=15)
    assert len(asked) == len(set(asked)) <= 15


def test_a_failure_that_cannot_be_drawn_stays_as_it_was():
    known = Case({"x": (50, 1)}, seed=3)
    assert smallest(BOXES, lambda case: False, known, seed=0, budget=20) == known


def test_tables_have_their_shape_and_reach_empty_rows():
    found = draw_cases(cases(lambda draw: Case({"x": (1,)}, {"table": draw(tables(3, 2))})), 30, 0)
    drawn = [case.options["table"] for case in found]
    assert all(len(table) == 3 and all(len(row) == 2 for row in table) for table in drawn)
    assert any(not any(row) for table in drawn for row in table)


@pytest.mark.parametrize(("low", "high"), [(-1, 3), (4, 3), (1, 100)])
def test_sizes_outside_their_range_are_refused(low, high):
    with pytest.raises(ValueError, match="the range of sizes is wrong") as caught:
        sizes(low, high)
    assert str(caught.value).splitlines()[1:] == [f"  low = {low}, high = {high}", "  0 <= low <= high < 100"]
