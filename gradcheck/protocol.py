"""Protocol: what gradcheck and a program in any language say to each other, version gradcheck/command/1.

    gradcheck certify --command "octave-cli adapter.m"

starts the program once and keeps it: it answers until its standard input ends. Each question is one line of JSON on
its standard input, each answer one line of JSON on its standard output, written out at once (flush). An answer repeats
the question's id. Nothing else may be written to standard output; standard error is passed on to the user.

The first question, after every start:

    {"call": "describe", "protocol": "gradcheck/command/1", "id": 1}

is answered with the operations that the program has and which of "forward" and "vjp" it has of each. All else is
optional: "conventions" as `gradcheck show OPERATION` names them, a "version", and the "format" of arrays.

    {"id": 1, "offers": {"dense": ["forward", "vjp"]}, "conventions": {"dense": {"weights": "DK"}}, "format": "json"}

Then, as often as the judge likes, at points of its own choice:

    {"call": "forward", "operation": "dense", "options": {"activation": "tanh"}, "id": 2,
     "arrays": {"input_x": {"shape": [1, 2], "data": ["0x1.8p+0", "0x0.0p+0"]}, "input_W": …, "input_b": …}}
    {"id": 2, "arrays": {"output": {"shape": [1, 3], "data": [0.5, -1.25, "0x1p-3"]}}}

    {"call": "vjp", …, "arrays": {"input_x": …, "input_W": …, "input_b": …, "cotangent": …}}
    {"id": 3, "arrays": {"gradient_x": …, "gradient_W": …, "gradient_b": …}}

Inputs have the names and shapes of `gradcheck show OPERATION`; those of a network, which takes copies of some, are
input_1, input_2, … "data" has the elements in C order, the last axis fastest, as hexadecimal floats, which lose no bit;
of an answer also as plain numbers. The cotangent has the shape of the output. An input whose gradient is left out of an
answer is not offered.

Or the program answers that it cannot:

    {"id": 4, "not_offered": "connection tables are not supported"}     counted as not offered, which is never green
    {"id": 4, "error": "singular matrix"}                               an error of this case; the program goes on

With the format "mat", "npz" or "safetensors" arrays travel in files of the kind that `gradcheck vectors export` writes,
of the same names. A question then names in the place of "arrays" the file to read and the file to write:

    {"call": "forward", "operation": …, "options": …, "id": 5, "shapes": {"input_x": [1, 2], …},
     "question": "/tmp/…/5.mat", "answer": "/tmp/…/5-answer.mat"}
    {"id": 5}

MAT-files drop axes of length 1, or add them; those of an answer are put right.

A program that ends, writes something else than the answer, or exceeds a limit (--timeout, for each case; --memory) is
an error of that case, of which nothing is believed but a forward that was judged before; for the next it is started
anew. After three such cases the rest of an operation is left out, and counted. Reading an answer runs no code.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.estimate import Array
from gradcheck.formats import FORMATS, read, unwritten, written
from gradcheck.program import MOST, PATIENCE, SHOWN, Program

VERSION = "gradcheck/command/1"

SCRATCH = "GRADCHECK_SCRATCH"
"""Variable with the folder for files of questions and answers; whoever may kill this process clears it."""

CALLS = ("forward", "vjp")


def document() -> str:
    """The text above: what is said in which order, with an example of each line.

    Examples
    --------
    >>> print(document().splitlines()[0])
    What gradcheck and a program in any language say to each other, version gradcheck/command/1.
    """
    return (__doc__ or "").removeprefix("Protocol: w").join(["W", "\n"]).replace("\n\n\n", "\n\n")


class ProtocolError(Exception):
    """An answer that is none, from a program that lives on."""


@dataclass(frozen=True)
class Described:
    """What a program says of itself: the calls and the conventions of each operation, its version, its format."""

    offers: Mapping[str, Sequence[str]]
    conventions: Mapping[str, Mapping[str, str]]
    version: str | None
    format: str


class Spoken:
    """A program that is asked in this protocol.

    Parameters
    ----------
    target : str
        "$ " and the command.

    Raises
    ------
    ProgramLost, ProtocolError, ValueError
        When it cannot be started, or does not say what it is.
    """

    def __init__(self, target: str) -> None:
        self.program = Program(target)
        self.scratch: Path | None = None
        self.described = self._greeted()

    def _greeted(self) -> Described:
        patience = None if SCRATCH in os.environ else PATIENCE  # a worker's warden has a limit of its own
        return described(self.program.ask({"call": "describe", "protocol": VERSION}, patience))

    def forward(self, operation: str, names: Sequence[str] | None) -> Callable[..., Any] | None:
        """The forward of one operation, where it is offered; `names` of its inputs, numbers from 1 without them."""

        def forward(*inputs: Any, **options: Any) -> Any:
            found = self._called("forward", operation, options, _inputs(names, inputs))
            return _only(found, {"output"}).get("output")

        return forward if "forward" in self.described.offers[operation] else None

    def vjp(self, operation: str, names: Sequence[str] | None) -> Callable[..., Any] | None:
        """The vjp of one operation, where it is offered; None for what an answer leaves out."""

        def vjp(cotangent: Any, *inputs: Any, **options: Any) -> Any:
            given = _inputs(names, inputs)
            wanted = {name.replace("input", "gradient", 1): np.asarray(x) for name, x in given.items()}
            found = _only(
                self._called("vjp", operation, options, given | {"cotangent": cotangent}), set(wanted)
            )
            return tuple(
                fitted(found[name], x.shape) if self.loose and name in found else found.get(name)
                for name, x in wanted.items()
            )

        return vjp if "vjp" in self.described.offers[operation] else None

    @property
    def loose(self) -> bool:
        """Whether its answers lack axes of length 1."""
        return self.described.format == "mat"

    def _called(
        self, call: str, operation: str, options: Mapping[str, Any], arrays: Mapping[str, Any]
    ) -> dict[str, Array]:
        """The arrays that the program answers to one question."""
        if not self.program.is_running:
            self._greeted()
        question = {"call": call, "operation": operation, "options": _plain(options)}
        given = {name: _real(name, each) for name, each in arrays.items()}
        return (
            self._told(question, given) if self.described.format == "json" else self._filed(question, given)
        )

    def _told(self, question: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
        told = {name: written(each) for name, each in arrays.items()}
        return unwritten(_answered(self.program.ask({**question, "arrays": told})).get("arrays"))

    def _filed(self, question: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
        kind, number = self.described.format, self.program.asked + 1
        asked, answer = (self._folder() / f"{number}{end}.{kind}" for end in ("", "-answer"))
        try:
            asked.write_bytes(FORMATS[kind].dump(arrays, question))
            shapes = {name: list(each.shape) for name, each in arrays.items()}
            places = {"question": str(asked), "answer": str(answer)}
            _answered(self.program.ask({**question, "shapes": shapes, **places}))
            if not answer.is_file():
                raise ProtocolError("the program wrote no file of answers")
            return read(answer, FORMATS[kind], MOST)
        finally:
            for each in (asked, answer):
                each.unlink(missing_ok=True)

    def _folder(self) -> Path:
        """Where files of questions and answers lie for as long as a call takes."""
        if self.scratch is None:
            made = tempfile.TemporaryDirectory(prefix="gradcheck-command-", dir=os.environ.get(SCRATCH))
            weakref.finalize(self, made.cleanup)
            self.scratch = Path(made.name)
        return self.scratch


def described(answer: Mapping[str, Any]) -> Described:
    """What the first answer says; raises `ProtocolError` where that is not understood.

    Examples
    --------
    >>> described({"offers": {"tanh": ["forward"]}}).offers
    {'tanh': ['forward']}
    """
    offers = _answered(answer).get("offers")
    if not isinstance(offers, dict) or not offers or not all(map(_are_calls, offers.values())):
        raise ProtocolError(f"it offers {_short(offers)}, wanted {{operation: [forward, vjp]}}")
    conventions = answer.get("conventions") or {}
    if not isinstance(conventions, dict) or not all(isinstance(each, dict) for each in conventions.values()):
        raise ProtocolError(
            f"its conventions are {_short(conventions)}, wanted {{operation: {{name: value}}}}"
        )
    kind = answer.get("format", "json")
    if kind not in FORMATS:
        raise ProtocolError(f"its format is {_short(kind)}, wanted one of {', '.join(FORMATS)}")
    version = answer.get("version")
    return Described(offers, conventions, None if version is None else str(version), str(kind))


def _are_calls(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(each in CALLS for each in given)


def _answered(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, unless it says that there is none."""
    if "not_offered" in answer:
        raise NotImplementedError(str(answer["not_offered"]))
    if "error" in answer:
        raise ProtocolError(f"it answers with an error: {_short(answer['error'])}")
    return answer


def _only(found: dict[str, Array], wanted: set[str]) -> dict[str, Array]:
    """The arrays, if none of them is another than was asked for: a misspelt name would leave a gradient out."""
    if unknown := sorted(set(found) - wanted):
        raise ProtocolError(
            f"it answers with arrays that nobody asked for: {_short(', '.join(unknown))}, "
            f"wanted {', '.join(sorted(wanted))}"
        )
    return found


def fitted(found: Array, shape: tuple[int, ...]) -> Array:
    """The array in this shape where the two differ in axes of length 1 alone; as it is where they do not.

    Examples
    --------
    >>> fitted(np.zeros((2, 3)), (2, 1, 3, 1)).shape, fitted(np.zeros((3, 2)), (2, 3)).shape
    ((2, 1, 3, 1), (3, 2))
    """
    same = [side for side in found.shape if side != 1] == [side for side in shape if side != 1]
    return found.reshape(shape) if same else found


def _inputs(names: Sequence[str] | None, inputs: Sequence[Any]) -> dict[str, Any]:
    known = [str(number) for number in range(1, len(inputs) + 1)] if names is None else names
    return {f"input_{name}": x for name, x in zip(known, inputs, strict=True)}


def _real(name: str, given: Any) -> Array:
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}, and a program is asked about real numbers alone")
    return array.astype(np.float64)


def _plain(value: Any) -> Any:
    """Options as JSON has them: arrays and tuples as lists."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _short(given: Any) -> str:
    text = given if isinstance(given, str) else repr(given)
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[:SHOWN] + "…"
