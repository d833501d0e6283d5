import sys
import types

import numpy as np
import pytest

from gradcheck.implementation import Implementation, Offer, implements, load, offered_by
from gradcheck.importing import TargetError, in_words
from gradcheck.operation import Convention, Input, Operation, Turn
from gradcheck.translation import (
    NotOffered,
    TargetRaised,
    as_tuple,
    guarded,
    is_exact,
    translated,
)


def forward(x):
    return 2 * x


def vjp(cotangent, x):
    return 2 * cotangent


PART = types.SimpleNamespace(forward=forward, vjp=vjp)
DOUBLED = Turn(lambda array, options: 2 * array, lambda array, options: 2 * array)
SWAPPED = Turn(lambda array, options: array.T, lambda array, options: array.T)
TWICE = Operation(
    "twice",
    "",
    (Input("x", ("H", "W"), ""),),
    forward,
    None,
    conventions={
        "layout": {"HW": Convention(""), "WH": Convention("", {"x": SWAPPED}, SWAPPED)},
        "scale": {"sum": Convention(""), "mean": Convention("", output=DOUBLED, exact=False)},
    },
)
CATALOGUE = {"twice": TWICE, "thrice": TWICE}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to write targets in: the working one, and forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def message(target):
    with pytest.raises(TargetError) as caught:
        load(target, CATALOGUE)
    return str(caught.value).splitlines()


def write(folder, name, text):
    (folder / name).write_text(text)
    return name


MODULE = """
__version__ = "2.5"
class twice:
    @staticmethod
    def forward(x):
        return 2 * x
class Inner:
    class thrice:
        @staticmethod
        def vjp(cotangent, x):
            return 3 * cotangent
"""


def test_attributes_named_after_operations_are_offers():
    assert offered_by(types.SimpleNamespace(twice=PART, other=PART), CATALOGUE) == {
        "twice": Offer("twice", forward, vjp)
    }


def test_a_mapping_is_a_target_too_and_parts_may_be_missing():
    offers = offered_by({"twice": {"forward": forward}, "thrice": {"vjp": vjp}}, CATALOGUE)
    assert offers["twice"] == Offer("twice", forward, None)
    assert offers["thrice"] == Offer("thrice", None, vjp)


def test_marked_classes_are_offers_under_the_name_of_their_mark():
    @implements("twice", layout="WH")
    class Mine:
        forward = staticmethod(forward)

    module = types.SimpleNamespace(anything=Mine, again=Mine)
    assert offered_by(module, CATALOGUE) == {"twice": Offer("twice", forward, None, {"layout": "WH"})}
    assert offered_by(Mine, CATALOGUE)["twice"].conventions == {"layout": "WH"}


def test_one_class_may_implement_two_operations():
    @implements("twice")
    @implements("thrice")
    class Both:
        vjp = staticmethod(vjp)

    assert sorted(offered_by(Both, CATALOGUE)) == ["thrice", "twice"]


def test_a_subclass_of_a_marked_class_is_no_second_target():
    @implements("twice")
    class Base:
        forward = staticmethod(forward)

    class Derived(Base):
        pass

    assert list(offered_by(types.SimpleNamespace(a=Base, b=Derived), CATALOGUE)) == ["twice"]
    assert offered_by(types.SimpleNamespace(b=Derived), CATALOGUE) == {}


def test_two_classes_for_one_operation_are_refused():
    @implements("twice")
    class One:
        forward = staticmethod(forward)

    @implements("twice")
    class Other:
        vjp = staticmethod(vjp)

    lines = message(types.SimpleNamespace(a=One, b=Other))
    assert lines[0] == "target: 'twice' is implemented twice"
    assert lines[1] == "  one = forward, other = vjp"
    assert lines[2] == "  a target may offer each operation once"


def test_a_mark_on_a_class_that_offers_nothing_is_refused_at_once():
    with pytest.raises(TypeError) as caught:

        @implements("twice")
        class Nothing:
            vjp = None

    assert str(caught.value).splitlines() == [
        "implements: the class Nothing offers nothing for 'twice'",
        "  forward = None, vjp = None",
        "  at least one of the two must be a static method (or step)",
    ]


def test_a_module_is_loaded_by_name_from_the_working_folder(folder):
    write(folder, "my_target.py", MODULE)
    found = load("my_target", CATALOGUE)
    assert (found.name, found.version, list(found.offers)) == ("my_target", "2.5", ["twice"])


def test_a_file_is_loaded_with_its_neighbours(folder):
    (folder / "deep").mkdir()
    write(folder, "deep/neighbour.py", MODULE)
    write(folder, "deep/my_file.py", "from neighbour import twice")
    assert list(load("deep/my_file.py", CATALOGUE).offers) == ["twice"]


@pytest.mark.parametrize("target", ["my_target:Inner", "my_target.py:Inner"])
def test_an_object_of_a_module_or_a_file_is_loaded(folder, target):
    write(folder, "my_target.py", MODULE)
    found = load(target, CATALOGUE)
    assert (found.name, list(found.offers)) == (target, ["thrice"])


def test_an_object_itself_and_a_loaded_implementation_are_targets():
    found = load(types.SimpleNamespace(twice=PART), CATALOGUE)
    assert found == Implementation("SimpleNamespace", {"twice": Offer("twice", forward, vjp)})
    assert load(found, CATALOGUE) is found


def test_a_missing_module_is_named(folder):
    lines = message("no_such_module")
    assert lines[0] == "target: there is no module no_such_module"
    assert lines[1] == f"  missing = no_such_module, looked in {folder} and the installed packages"
    assert lines[2] == "  wanted a module, a file ending in .py, or either with :object behind it"


def test_a_module_that_a_target_needs_and_lacks_is_named(folder):
    write(folder, "my_target.py", "import surely_not_installed")
    lines = message("my_target")
    assert lines[0] == "target: cannot be imported: my_target"
    assert lines[1].startswith("  missing = surely_not_installed, ")


def test_a_missing_file_is_named(folder):
    assert message("none.py") == [
        "target: there is no file none.py",
        f"  looked at = {folder / 'none.py'}",
        "  wanted a Python file",
    ]


def test_a_missing_object_is_named_with_what_comes_near(folder):
    write(folder, "my_target.py", MODULE)
    assert message("my_target:Iner") == [
        "target: my_target has no 'Iner'",
        "  missing = 'Iner', nearest = Inner",
        "  wanted module:object or file.py:object",
    ]


@pytest.mark.parametrize(
    ("text", "raised", "line"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero", 1),
        ("\nraise SystemExit(3)", "SystemExit: 3", 2),
        ("def f(:", "SyntaxError: invalid syntax (my_target.py, line 1)", 1),
        ("raise Exception", "Exception", 1),
    ],
)
def test_a_target_that_raises_when_imported_is_one_message(folder, text, raised, line):
    write(folder, "my_target.py", text)
    lines = message("my_target.py")
    assert lines[0] == "target: my_target.py cannot be imported"
    assert lines[1] == f"  it raised {raised}"
    assert lines[2] == f"  at {folder / 'my_target.py'}, line {line}"


def test_a_target_without_any_operation_lists_what_it_has(folder):
    write(folder, "my_target.py", "\n".join(f"name{i} = {i}" for i in range(9)))
    lines = message("my_target")
    assert lines[0] == "target: my_target offers none of the catalogue's operations"
    names = ", ".join(f"name{i}" for i in range(8))
    assert lines[1] == f"  its names = {names}, …, wanted one of: twice, thrice"
    assert lines[2].startswith("  an operation is an attribute of its name")
    assert "its names = none" in message(types.SimpleNamespace())[1]


def test_a_mark_with_an_unknown_operation_is_refused_with_what_comes_near():
    @implements("twise")
    class Mine:
        forward = staticmethod(forward)

    assert message(Mine) == [
        "target: forward implements 'twise', which is no operation",
        "  nearest = twice",
        "  the catalogue has: twice, thrice",
    ]


@pytest.mark.parametrize("declared", [{"layout": "XY"}, {"lay": "HW"}])
def test_a_mark_with_an_unknown_convention_is_refused_with_those_known(declared):
    @implements("twice", **declared)
    class Mine:
        forward = staticmethod(forward)

    ((name, value),) = declared.items()
    assert message(Mine) == [
        "target: forward declares a convention that twice does not have",
        f"  declared = {name}={value!r}",
        "  known: layout = HW | WH; scale = sum | mean",
    ]


def test_a_guard_turns_what_the_target_raises_into_words():
    def bad(*_):
        raise KeyError("x")

    with pytest.raises(TargetRaised, match=r"^the vjp raised KeyError: 'x'$"):
        guarded(bad, "the vjp")(1)
    assert guarded(None, "the vjp") is None
    assert guarded(forward, "the forward")(3) == 6


def test_a_guard_takes_leaving_python_for_an_error_and_ctrl_c_for_what_it_is():
    def leave():
        sys.exit(0)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(TargetRaised, match="the forward raised SystemExit: 0"):
        guarded(leave, "the forward")()
    with pytest.raises(KeyboardInterrupt):
        guarded(interrupt, "the forward")()


@pytest.mark.parametrize("kind", [NotOffered, NotImplementedError])
def test_a_guard_lets_a_target_decline(kind):
    def declines():
        raise kind("no tables")

    with pytest.raises(NotOffered, match="the vjp: no tables"):
        guarded(declines, "the vjp")()


def test_words_of_an_exception_are_one_line():
    assert in_words(ValueError("first\nsecond")) == "ValueError: first"
    assert in_words(ValueError()) == "ValueError"


X = np.arange(6.0).reshape(2, 3)


def test_conventions_turn_inputs_before_and_results_after_the_call():
    seen = []

    def theirs(x):
        seen.append(x.shape)
        return x / 2

    def their_vjp(cotangent, x):
        seen.append((cotangent.shape, x.shape))
        return (cotangent / 2,)

    offer = Offer("twice", theirs, their_vjp, {"layout": "WH", "scale": "mean"})
    ours = translated(offer, TWICE)
    assert np.array_equal(ours.forward(X), X)
    (gradient,) = ours.vjp(X, X)
    assert np.array_equal(gradient, X)
    assert seen == [(3, 2), ((3, 2), (3, 2))]
    assert not is_exact(offer, TWICE)
    assert is_exact(Offer("twice", theirs, None, {"layout": "WH"}), TWICE)


def test_conventions_leave_out_what_the_target_leaves_out():
    assert translated(Offer("twice", None, None, {"layout": "WH"}), TWICE).forward is None
    ours = translated(Offer("twice", None, lambda cotangent, x: (None,), {"layout": "WH"}), TWICE)
    assert ours.vjp(X, X) == (None,)


def test_one_bare_gradient_is_that_of_the_single_input():
    assert as_tuple(3.0) == (3.0,)
    assert as_tuple([1, 2]) == (1, 2)


def test_a_gradient_that_does_not_fit_its_declared_layout_is_no_gradient():
    offer = Offer("twice", forward, lambda cotangent, x: (2 * cotangent.T,), {"layout": "WH"})
    (gradient,) = translated(offer, TWICE).vjp(X, X)
    with pytest.raises(ValueError, match="wanted") as caught:
        np.asarray(gradient)
    assert str(caught.value) == "gradient.shape = (2, 3), wanted (3, 2) in the layout that it declares"


def test_an_output_that_has_no_layout_is_left_to_the_judge():
    for output in (None, np.zeros(3)):
        offer = Offer("twice", lambda x, output=output: output, None, {"layout": "WH"})
        turned = translated(offer, TWICE).forward(X)
        assert turned is None if output is None else np.shape(turned) == (3,)


def test_a_vjp_that_answers_none_at_all_is_passed_on_as_it_is():
    assert translated(Offer("twice", None, lambda c, x: None, {"layout": "WH"}), TWICE).vjp(X, X) is None


def test_a_target_that_raises_when_it_is_looked_at_is_one_message():
    class Lazy:
        @property
        def twice(self):
            raise OSError("no network")

    assert message(Lazy()) == [
        "target: Lazy cannot be asked what it offers",
        "  looking at its names raised OSError: no network",
        "  wanted an object with attributes named after operations: twice, thrice",
    ]


def test_what_a_target_does_when_it_is_imported_is_noted_and_put_back(folder, capsys):
    write(folder, "my_target.py", "import numpy as np\nprint('hello')\nnp.seterr(all='raise')\n" + MODULE)
    before = np.geterr()
    assert load("my_target", CATALOGUE).notes == (
        "the target changed how NumPy handles divide (warn → raise), over (warn → raise), under (ignore → raise), "
        "invalid (warn → raise); put back",
        "the target printed to standard output: 'hello'",
    )
    assert np.geterr() == before
    assert capsys.readouterr().out == ""
