"""The HTML page: what it says, that nothing in it runs or loads, and how it is in a browser."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from gradcheck.certificate import Certificate, Result
from gradcheck.certify import certify
from gradcheck.operation import operations
from gradcheck.report import tree
from gradcheck.report.axes import Scale, linear, logarithmic
from gradcheck.report.heat import Panels, heat_map
from gradcheck.report.page import html
from gradcheck.report.plots import Elements, decay, scatter, steps
from gradcheck.verdict import Verdict
from tests import browser as browsers
from tests.test_report import HOSTILE, hostile


def tanh_vjp(cotangent, u):
    return (cotangent * (1 - np.tanh(u) ** 2 + np.sign(u)),)


def unturned(cotangent, x, n):
    gradient = np.kron(cotangent, np.ones((n, n)))
    gradient[..., -1, :] *= 2
    return (gradient,)


def raising(cotangent, c):
    raise ValueError("no <b>gradient</b> yet")


TARGET = SimpleNamespace(
    downsample=SimpleNamespace(vjp=unturned),
    tanh=SimpleNamespace(forward=lambda u: np.tanh(u) + np.abs(u), vjp=tanh_vjp),
    softmax=SimpleNamespace(vjp=raising),
    sigmoid=SimpleNamespace(forward=lambda u: 1 / (1 + np.exp(-u))),
)


@pytest.fixture(scope="module")
def certificate():
    names = ["downsample", "tanh", "softmax", "sigmoid", "sparsity"]
    with np.errstate(over="ignore"):
        return replace(certify(TARGET, names, examples=8), target="mine.py")


@pytest.fixture(scope="module")
def page(certificate):
    return html(certificate, operations(), "c.json")


class Reader(HTMLParser):
    """Every tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self._inside = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._inside[-1:]):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def dangers(reader):
    """Whatever would run or load something, or change how the page is read."""
    allowed = {"script": 1, "style": 1, "link": 1, "meta": 4}
    for tag in (
        "script",
        "style",
        "link",
        "meta",
        "iframe",
        "object",
        "embed",
        "img",
        "form",
        "base",
        "foreignobject",
    ):
        if reader.count(tag) > allowed.get(tag, 0):
            yield f"{reader.count(tag)} {tag}"
    for tag, attributes in reader.tags:
        for name, value in attributes.items():
            if name.startswith("on") or name in ("style", "src", "xlink:href"):
                yield f"{tag} {name}"
            if name == "href" and not (value.startswith("#") or value == "data:,"):
                yield f"{tag} href={value}"


def test_the_page_tells_what_the_certificate_knows(page, certificate):
    text = Reader(page).text
    for said in ("mine.py", "downsample", "not offered", "seed 0", "numpy", "no <b>gradient</b> yet"):
        assert said in text
    assert "gradcheck certify mine.py --operation downsample --seed 0 --examples 8" in text
    row = next(k for k, each in enumerate(certificate.results) if each.operation == "softmax")
    assert f"gradcheck replay c.json --result {row}" in text


def test_every_fault_has_its_article_and_its_row_points_there(page, certificate):
    tags = Reader(page).tags
    places = {each["id"] for tag, each in tags if tag == "article"}
    links = {each["href"].removeprefix("#") for tag, each in tags if tag == "a"}
    assert places == links
    assert len(places) == sum(each.verdict is not Verdict.PASS for each in certificate.results)


def test_a_failure_has_four_plots_each_with_words_for_those_who_do_not_see_it(page):
    article = page.split("<article")[1:]
    (whole,) = [Reader("<article" + each) for each in article if "d downsample / d x" in each]
    pictures = [each for tag, each in whole.tags if tag == "svg" and each.get("role") == "img"]
    assert len(pictures) == 4
    ids = {each.get("id") for _, each in whole.tags}
    for each in pictures:
        assert {each["aria-labelledby"], each["aria-describedby"]} <= ids
    for said in ("Wrong in ", "The best central quotient is off by", "looked smooth"):
        assert said in whole.text


def test_equations_are_mathml_and_all_of_them(page):
    article = next(each for each in page.split("<article")[1:] if "d downsample / d x" in each)
    assert article.count("<math") == len(operations()["downsample"].equations)
    assert "<mi>down</mi>" in article


def test_nothing_in_it_runs_or_loads(page):
    assert list(dangers(Reader(page))) == []
    assert "http" not in page.replace("http-equiv", "")


def test_nothing_that_a_target_chose_is_read_as_markup():
    page = html(hostile(), {HOSTILE: operations()["dense"]})
    reader = Reader(page)
    assert list(dangers(reader)) == []
    assert "<script>alert(1)</script>" in reader.text
    assert [sign for sign in page if not sign.isprintable() and sign not in "\n\xa0"] == []


@pytest.mark.parametrize(
    ("spoilt", "found"),
    [
        ("<script></script>", "2 script"),
        ('<b onclick="x">', "b onclick"),
        ('<a href="http://x">', "a href=http://x"),
    ],
)
def test_a_danger_is_seen(page, spoilt, found):
    assert found in list(dangers(Reader(page.replace("<main>", f"<main>{spoilt}"))))


@pytest.mark.parametrize(
    "source",
    [
        "<math><script>alert(1)</script></math>",
        '<math><mi onclick="alert(1)">x</mi></math>',
        '<math><mtext><a href="http://x">y</a></mtext></math>',
        "<svg></svg>",
        "<math>",
    ],
)
def test_mathml_of_a_catalogue_that_does_more_than_show_is_not_shown(source):
    assert tree.mathml(source) is None
    dense = replace(operations()["dense"], mathml={"D1": source})
    row = Result("dense", "x", Verdict.FAIL, "exact", 1, 0.0, 0.0)
    assert "u = W x + b" in Reader(html(Certificate("m", 0, 1, (row,)), {"dense": dense})).text


def test_an_empty_certificate_and_one_of_passes_have_no_faults():
    row = Result("f", "x", Verdict.PASS, "exact", 1, 0.0, 0.0)
    for results in ((), (row,)):
        assert Reader(html(Certificate("m", 0, 1, results))).count("article") == 0


# Plots


def elements(shape, wrong=()):
    size = int(np.prod(shape, dtype=int))
    claimed = tuple(100.0 + k if k in wrong else 1.0 for k in range(size))
    return Elements(shape, claimed, (1.0,) * size, (1e-9,) * size)


@pytest.mark.parametrize(
    "shape", [(), (1,), (40,), (3, 5), (1, 200), (3, 200), (4096,), (2, 3, 4), (2, 3, 5, 4), (2, 2, 2, 2, 3)]
)
def test_every_element_has_a_cell_of_its_own_inside_the_picture(shape):
    panels, size = Panels.of(shape), int(np.prod(shape, dtype=int))
    places = {panels.place(k) for k in range(size)}
    assert len(places) == size
    width, height = panels.size
    assert max(x for x, _ in places) + panels.cell[0] <= width * (1 + 1e-9)
    assert max(y for _, y in places) + panels.cell[1] <= height * (1 + 1e-9)
    assert max(panels.cell) <= 4 * min(panels.cell)


def test_cells_that_are_wrong_are_coloured_and_tell_their_numbers():
    drawn = heat_map(elements((2, 3), wrong={4}), "k")
    (cell,) = [each for each in drawn.iter("rect") if each.get("class") == "above"]
    assert cell.find("title").text == "[1, 1]: 104 claimed, 1 measured"
    assert sum(each.get("class") == "still" for each in drawn.iter("rect")) == 5


def test_numbers_that_are_none_are_crossed_out():
    odd = Elements((2,), (float("nan"), 1.0), (1.0, 1.0), (0.1, 0.1))
    assert odd.errors == [0]
    assert sum(each.get("class") == "none" for each in heat_map(odd, "k").iter("path")) == 1


def places_of(drawn, tag, names, kind=None):
    return [[float(each.get(n)) for n in names] for each in drawn.iter(tag) if each.get("class") == kind]


def test_a_scatter_has_right_elements_on_the_diagonal_and_what_is_too_large_above_it():
    drawn = scatter(
        Elements((3,), (1.0, 2.0, 9.0), (1.0, 2.0, 3.0), (0.0,) * 3), ("claimed", "measured"), "k"
    )
    ((x1, y1, x2, y2),) = [
        each
        for each in places_of(drawn, "line", ("x1", "y1", "x2", "y2"))
        if each[0] != each[2] and each[1] != each[3]
    ]
    for x, y in places_of(drawn, "circle", ("cx", "cy"), "right"):
        assert (y - y1) * (x2 - x1) == pytest.approx((x - x1) * (y2 - y1), rel=1e-3)
    (cross,) = [each.get("d") for each in drawn.iter("path")]
    x, y = (float(each) + 4 for each in re.match(r"M([\d.]+) ([\d.]+)", cross).groups())
    assert y < y1 + (x - x1) * (y2 - y1) / (x2 - x1)  # y counts downwards


def test_coefficients_that_fall_are_drawn_falling_and_odd_ones_filled():
    probe = {"coefficients": [1.0, 0.1, 0.0, 1e-3], "points": 4, "step": 0.5, "finding": "smooth"}
    drawn = decay(probe, "k")
    odd, even = (places_of(drawn, "circle", ("cx", "cy"), kind) for kind in ("odd", "right"))
    assert (len(odd), len(even)) == (2, 2)
    heights = [y for _, y in sorted(odd + even)]
    assert heights[0] < heights[1] < heights[3] <= heights[2]
    assert "from 1.0e+00 down to 1.0e-03; the function looked smooth" in drawn.find("desc").text


def test_errors_by_step_leave_out_what_is_no_number_and_mark_the_probes_bound():
    rows = [
        {"step": 1.0, "forward": "nan", "central": 1e-2, "extrapolated": 1e-4},
        {"step": 1e-2, "forward": 1e-2, "central": 1e-6, "extrapolated": "inf"},
    ]
    drawn = steps({"bound": 1e-12, "step": 0.1}, rows, "k")
    lines = {each.get("class"): each.get("points").split() for each in drawn.iter("polyline")}
    assert {name: len(points) for name, points in lines.items()} == {
        "forward": 1,
        "central": 2,
        "extrapolated": 1,
    }
    x, y = zip(*(map(float, point.split(",")) for point in lines["central"]), strict=True)
    assert x[0] > x[1]
    assert y[0] < y[1]  # y counts downwards: the longer step has the larger error
    assert [each.get("class") for each in drawn.iter("path")] == ["probe"]


def test_linear_ticks_are_round_and_inside():
    scale = linear([0.13, 7.9], 0.0, 100.0)
    assert [label for _, label in scale.ticks()] == ["0", "2", "4", "6", "8"]
    assert all(0 <= place <= 100 for place, _ in scale.ticks())
    assert linear([3.0, 3.0], 0, 1).low < 3.0 < linear([3.0, 3.0], 0, 1).high


def test_logarithmic_ticks_are_powers_of_ten_and_zero_lies_at_the_end():
    scale = logarithmic([3e-12, 0.0, 2.0], 0.0, 100.0)
    assert isinstance(scale, Scale)
    assert [label for _, label in scale.ticks()] == ["1e-12", "1e-9", "1e-6", "1e-3", "1e0"]
    assert (scale.at(0.0), scale.at(10.0)) == (0.0, 100.0)


# In a browser

pages = pytest.mark.skipif(browsers.found() is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    tab = browsers.Browser(browsers.found(), tmp_path_factory.mktemp("profile"))
    yield tab
    tab.close()


@pytest.fixture
def shown(tab, page, tmp_path):
    place = tmp_path / "page.html"
    place.write_text(page, encoding="utf-8")
    tab.appear(1280)
    tab.open(place)
    return tab


@pages
def test_it_renders_without_complaints_or_requests(shown, certificate):
    assert shown.complaints() == []
    assert [each for each in shown.requests() if not each.startswith(("file:", "data:"))] == []
    assert shown.run("document.querySelectorAll('table.results tbody tr').length") == len(certificate.results)
    for plot in ("svg.heat", "svg[role=img]", "math"):
        assert shown.run(f"document.querySelector('{plot}').getBoundingClientRect().height > 10"), plot


@pages
def test_a_script_that_is_not_its_own_does_not_run_and_is_complained_of(tab, page, tmp_path):
    place = tmp_path / "page.html"
    place.write_text(page.replace("<main>", "<main><script>window.run = 1</script>"), encoding="utf-8")
    tab.open(place)
    assert tab.run("window.run") is None
    assert any("Content Security Policy" in str(each) for each in tab.complaints())


@pages
def test_a_page_of_ill_meant_names_does_nothing(tab, tmp_path):
    place = tmp_path / "page.html"
    place.write_text(html(hostile(), operations()), encoding="utf-8")
    tab.open(place)
    assert tab.complaints() == []
    assert tab.run("document.scripts.length") == 1
    assert "<script>alert(1)</script>" in tab.run("document.body.innerText")


def focused(tab, name):
    """Tab forward to the button of a column."""
    for _ in range(40):
        tab.press("Tab")
        if tab.run("document.activeElement.textContent") == name:
            return tab.run("document.activeElement.tagName") == "BUTTON"
    return False


def column(tab, k):
    return tab.run(
        f"Array.from(document.querySelectorAll('.results tbody tr'), (row) => row.cells[{k}].textContent)"
    )


@pages
def test_the_table_is_sorted_from_the_keyboard_and_says_so(shown):
    assert focused(shown, "operation")
    before = column(shown, 0)
    shown.press("Enter", "\r")
    assert column(shown, 0) == sorted(before) != before
    assert shown.run("document.querySelector('th').getAttribute('aria-sort')") == "ascending"
    assert shown.run("document.getElementById('sorted').textContent") == "sorted by operation, ascending"
    shown.press(" ", " ")
    assert column(shown, 0) == sorted(before, reverse=True)
    assert shown.run("document.querySelector('th').getAttribute('aria-sort')") == "descending"
    assert shown.run("document.querySelectorAll('th[aria-sort=none]').length") == 9


@pages
def test_numbers_sort_by_size_and_verdicts_by_gravity(shown):
    assert focused(shown, "verdict")
    shown.press("Enter", "\r")
    verdicts = [each.split()[1] for each in column(shown, 2)]
    assert verdicts == sorted(verdicts, key=["fail", "error", "inconclusive", "pass"].index)
    assert focused(shown, "resolution")
    shown.press("Enter", "\r")
    values = [float("inf") if each == "-" else float(each) for each in column(shown, 5)]
    assert values == sorted(values)


@pages
@pytest.mark.parametrize("width", [320, 400, 800, 1280])
def test_nothing_is_cut_off_at_any_width(shown, width):
    shown.appear(width)
    assert shown.run("document.documentElement.scrollWidth") <= width
    wide = """Array.from(document.querySelectorAll('p, dd, td, h2, h3, li, figure, svg[role=img], summary'))
        .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.scroll, details'))
        .map((each) => each.outerHTML.slice(0, 80))"""
    assert shown.run(wide) == []


@pages
def test_letters_are_large_enough_on_a_narrow_screen(shown):
    shown.appear(400)
    sizes = """Array.from(document.querySelectorAll('p, dd, td, li, figcaption'))
        .map((each) => parseFloat(getComputedStyle(each).fontSize))"""
    assert min(shown.run(sizes)) >= 13
    # those of plots shrink with them
    scale = "document.querySelector('svg[role=img]:not(.heat)').getBoundingClientRect().width / 420"
    assert 12 * shown.run(scale) >= 9


CONTRAST = """
(() => {
  const light = (c) => c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const every = 'h1, h2, h3, p, .mark, .soft, th, td, dt, dd, figcaption, summary, li, code';
  return Math.min(...Array.from(document.querySelectorAll(every), (each) => {
    const ink = light(getComputedStyle(each).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
})()
"""


@pages
@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_the_paper(shown, dark):
    shown.appear(1280, dark)
    paper = shown.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    # WCAG 2, level AA
    assert shown.run(CONTRAST) >= 4.5


@pages
def test_without_scripts_the_page_is_whole(shown, certificate):
    shown.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        shown.reload()
        found = shown.call("DOM.getDocument", depth=-1)["root"]
        text = str(found)
        assert "miss probability" in text
        assert len(re.findall(r"'nodeName': 'ARTICLE'", text)) == 4
    finally:
        shown.call("Emulation.setScriptExecutionDisabled", value=False)


@pages
def test_paper_is_white_whatever_the_screen_is(shown):
    shown.appear(1280, dark=True)
    shown.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert shown.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shown.call("Emulation.setEmulatedMedia", media="", features=[])
