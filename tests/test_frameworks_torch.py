import random

import numpy as np
import pytest

from gradcheck.frameworks.repeats import Unrepeatable
from gradcheck.frameworks.torch import SMALL, check
from gradcheck.frameworks.torch_arrays import from_numpy, to_numpy

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def drawn(*shape, seed=0, dtype=torch.float64, grad=True):
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(values, dtype=dtype, requires_grad=grad)


def seeded(module):
    """The module with parameters that do not depend on what ran before."""
    with torch.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(drawn(*p.shape, seed=100 + i, grad=False) / 2)
    return module.double()


def verdicts(found):
    return {part.subject.rsplit(" / d ", 1)[1]: str(part.verdict) for part in found.parts}


# A product with a sine, by hand: one right, and each way of getting it wrong


class Right(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return torch.sin(x) @ w

    @staticmethod
    def backward(ctx, c):
        x, w = ctx.saved_tensors
        return (c @ w.T) * torch.cos(x), torch.sin(x).T @ c


class ForgetsToScale(Right):
    @staticmethod
    def backward(ctx, c):
        x, w = ctx.saved_tensors
        return (c @ w.T) * torch.cos(x), torch.sin(x).T @ c / len(x)


class Transposed(Right):
    @staticmethod
    def backward(ctx, c):
        dx, dw = Right.backward(ctx, c)
        return dx, dw.T


class OverwritesWhatItSaved(Right):
    @staticmethod
    def backward(ctx, c):
        x, w = ctx.saved_tensors
        x.data.sin_()  # .data: unseen by the counter that torch guards saved tensors with
        return (c @ w.T) * torch.cos(x), x.T @ c


class WrongOrder(Right):
    @staticmethod
    def backward(ctx, c):
        return Right.backward(ctx, c)[::-1]


class RightInFloat64Only(Right):
    @staticmethod
    def backward(ctx, c):
        dx, dw = Right.backward(ctx, c)
        return dx, dw if c.dtype == torch.float64 else dw + dw.abs()


class WritesIntoItsCotangent(Right):
    @staticmethod
    def backward(ctx, c):
        x, w = ctx.saved_tensors
        dw = torch.sin(x).T @ c
        return (c.mul_(1.0) @ w.T) * torch.cos(x), dw + 0 * c.zero_().sum()


class OneBufferForAll(Right):
    kept = torch.zeros(3, 3, dtype=torch.float64)

    @staticmethod
    def backward(ctx, c):
        dx, dw = Right.backward(ctx, c)
        return dx, OneBufferForAll.kept.copy_(dw)


class Forgetful(Right):
    calls = 0

    @staticmethod
    def backward(ctx, c):
        dx, dw = Right.backward(ctx, c)
        Forgetful.calls += 1
        return dx, dw * (1 + (Forgetful.calls % 3 == 0))


def point(dtype=torch.float64):
    # square, so that no transposition and no exchange is caught by its shape
    return drawn(3, 3, dtype=dtype), drawn(3, 3, seed=1, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_right_function_passes_in_each_dtype(dtype):
    found = check(Right.apply, point(dtype))
    assert verdicts(found) == {"x": "pass", "w": "pass"}, str(found)
    assert found.parts[0].dtype == str(dtype).removeprefix("torch.")
    assert found.resolution <= {2: 0.13, 4: 1e-4, 8: 1e-10}[dtype.itemsize]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (ForgetsToScale, {"w"}),
        (Transposed, {"w"}),
        (WrongOrder, {"x", "w"}),
        (OverwritesWhatItSaved, {"x"}),
    ],
)
def test_a_wrong_function_fails_where_it_is_wrong(wrong, where, dtype):
    found = verdicts(check(wrong.apply, point(dtype)))
    assert {name for name, verdict in found.items() if verdict == "fail"} == where


def test_the_diagnosis_names_the_mistake():
    assert "the right gradient divided by" in check(ForgetsToScale.apply, point()).parts[1].diagnosis
    assert "transposed" in check(Transposed.apply, point()).parts[1].diagnosis


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_right_in_float64_only_is_found_in_the_dtype_that_is_used(dtype):
    assert check(RightInFloat64Only.apply, point()).passed
    assert verdicts(check(RightInFloat64Only.apply, point(dtype)))["w"] == "fail"


class OffBy(Right):
    factor = 1.0

    @staticmethod
    def backward(ctx, c):
        dx, dw = Right.backward(ctx, c)
        return dx, dw * (OffBy.factor if c.dtype.itemsize == 2 else 1.0)


@pytest.mark.parametrize(("dtype", "units"), [(torch.float16, 24), (torch.bfloat16, 24)], ids=str)
def test_an_error_of_more_than_rounding_does_not_pass_in_half_precision(dtype, units, monkeypatch):
    eps = torch.finfo(dtype).eps
    monkeypatch.setattr(OffBy, "factor", 1 + units * eps)
    found = check(OffBy.apply, point(dtype)).parts[1]
    assert found.verdict in ("inconclusive", "fail"), str(found)
    monkeypatch.setattr(OffBy, "factor", 1 + 8 * eps)
    found = check(OffBy.apply, point(dtype)).parts[1]
    assert found.passed, str(found)
    assert 6 * eps < found.resolution < 12 * eps
    assert "of the gradient in float64, which agrees to" in found.reason


def test_a_backward_that_writes_into_its_cotangent_fails():
    found = check(WritesIntoItsCotangent.apply, point())
    assert found.verdict == "fail"
    assert "writes into the cotangent" in str(found)


def test_a_backward_that_hands_out_one_buffer_each_time_fails():
    found = check(OneBufferForAll.apply, point()).parts[1]
    assert found.verdict == "fail"
    assert found.reason.startswith("gradient of w changes at later calls")


def test_what_is_not_repeatable_is_told_apart_from_what_is_not_accurate():
    Forgetful.calls = 0
    found = check(Forgetful.apply, point())
    assert verdicts(found) == {"x": "pass", "w": "fail"}
    assert "gradient of w is another at a second call" in str(found.parts[1])


class LastBits(Right):
    """Atomic additions in another order at every other call: as right as any."""

    calls = 0

    @staticmethod
    def backward(ctx, c):
        dx, dw = Right.backward(ctx, c)
        LastBits.calls += 1
        return dx, dw * (1 + (LastBits.calls % 2) * 2.0**-52)


def test_sums_in_another_order_are_a_note():
    LastBits.calls = 0
    found = check(LastBits.apply, point())
    assert found.passed, str(found)
    assert "gradient of w is another at a second call" in str(found)


class Raises(Right):
    @staticmethod
    def backward(ctx, c):
        raise RuntimeError("no kernel for this\nat all")


def test_a_backward_that_raises_is_in_error_with_its_words():
    found = check(Raises.apply, point())
    assert (found.verdict, found.reason) == ("error", "the backward raised RuntimeError: no kernel for this")


class Apart(torch.autograd.Function):
    """Its context is set up apart from its forward."""

    @staticmethod
    def forward(base, exponent):
        return base**exponent

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.exponent = inputs[1]

    @staticmethod
    def backward(ctx, c):
        (base,) = ctx.saved_tensors
        return c * ctx.exponent * base ** (ctx.exponent - 1), None


def test_a_function_is_named_after_its_class_and_its_arguments_after_its_forward():
    assert check(Right, point()).subject == "d Right"
    found = check(Apart, (drawn(3), 3))
    assert (found.subject, found.passed) == ("d Apart / d base", True)


def test_the_check_works_in_inference_mode_too():
    with torch.inference_mode():
        x = torch.ones(3, dtype=torch.float64)
        assert check(torch.sin, (x,), wrt=("args[0]",)).passed
        assert torch.is_inference_mode_enabled()


# Modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(8, 3)

    def forward(self, images, *, gain=1.0):
        hidden = torch.tanh(self.norm(self.conv(images)))
        return {"scores": gain * self.out(hidden.flatten(1)), "hidden": hidden, "best": hidden.argmax()}


def test_parameters_are_found_by_name_and_inputs_by_the_signature():
    found = check(seeded(Net()), (drawn(2, 1, 4, 4),), kwargs={"gain": 2.0})
    assert found.subject == "d Net"
    assert list(verdicts(found)) == [
        "conv.weight", "conv.bias", "norm.weight", "norm.bias", "out.weight", "out.bias", "images",
    ]  # fmt: skip
    assert found.passed, str(found)
    assert "zero everywhere" in found.parts[1].reason  # the normalisation takes the bias away


class WrongNet(Net):
    def forward(self, images):
        w = self.out.weight
        return F.linear(self.conv(images).flatten(1), w + (w * images.mean()).detach(), self.out.bias)


def test_only_what_is_wrong_fails():
    # a detached term: the gradients by the weight and the images lack a part, the others do not
    found = verdicts(check(seeded(WrongNet()), (drawn(2, 1, 4, 4),)))
    failed = {name for name, verdict in found.items() if verdict == "fail"}
    assert failed >= {"out.weight", "images"}
    assert not failed & {"out.bias", "conv.weight", "conv.bias"}
    assert found["norm.weight"] == "pass"


def test_tied_weights_are_one_parameter():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(torch.tanh(self.a(x)))

    found = check(seeded(Tied()), (drawn(2, 3),))
    assert found.passed, str(found)
    assert "b.weight" not in verdicts(found)


def test_outputs_of_any_size_are_seen_beside_each_other():
    def both(x, y):
        return 1e9 * x.sin(), Right.apply(x, y), {"small": (1e-6 * y.tanh(), None)}

    class WrongSmall(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            ctx.save_for_backward(y)
            return 1e-6 * torch.tanh(y)

        @staticmethod
        def backward(ctx, c):
            return 1.01e-6 * c * (1 - torch.tanh(ctx.saved_tensors[0]) ** 2)

    assert check(both, point()).passed
    found = check(lambda x, y: (1e6 * x.sin(), WrongSmall.apply(y)), point())
    assert verdicts(found) == {"x": "pass", "y": "fail"}


def test_whole_numbers_and_what_requires_no_grad_are_held_and_named():
    found = check(nn.Embedding(5, 3).double(), (torch.tensor([1, 4, 1]),))
    assert (found.passed, found.notes) == (True, ("held fixed: input (int64)",))
    found = check(F.mse_loss, (drawn(3), drawn(3, seed=1, grad=False)))
    assert found.notes == ("held fixed: target (float64)",)
    assert set(verdicts(check(F.mse_loss, (drawn(3), drawn(3, grad=False) + 1), wrt=("input", "target")))) == {
        "input", "target",
    }  # fmt: skip


def test_an_input_without_a_path_counts_as_zero_and_is_told():
    found = check(lambda x, y: x * 2 + y.detach() * 0, point())
    assert found.parts[1].zero_everywhere
    assert "y is not reached: no gradient, which counts as zero" in found.parts[1].notes
    assert check(lambda x, y: x * 2 + y.detach(), point()).parts[1].verdict == "fail"


def test_an_output_that_is_cut_off_is_not_judged_and_that_is_told():
    found = check(lambda x: {"loss": x.sin(), "log": x.cos().detach(), "best": x.argmax()}, drawn(3))
    assert found.passed
    assert found.notes == ("not judged, since no gradient flows from it: output ['log']",)


def test_nested_inputs_have_their_paths_as_names():
    lstm = seeded(nn.LSTM(2, 3))
    found = check(lstm, (drawn(2, 1, 2), (drawn(1, 1, 3), drawn(1, 1, 3, seed=1))), wrt=("hx[0]", "hx[1]"))
    assert verdicts(found) == {"hx[0]": "pass", "hx[1]": "pass"}


def test_a_function_that_writes_into_its_input_is_taken():
    assert check(lambda x: x.mul_(2).sin(), drawn(3)).passed
    assert check(lambda x: x.mul_(2).sin() + x.detach().sin(), drawn(3)).verdict == "fail"


def test_linear_inputs_have_exact_evidence():
    layer = seeded(nn.Linear(3, 2))
    found = check(layer, (drawn(4, 3),), linear_in=("weight", "bias", "input"))
    assert (found.passed, found.evidence, found.resolution) == (True, "exact", 0.0)


def test_mixed_dtypes_are_taken_as_they_are():
    x, w = drawn(3, dtype=torch.float32), drawn(3, seed=1)
    found = check(lambda x, w: x * w.sin(), (x, w))
    assert found.passed, str(found)
    assert [part.dtype for part in found.parts] == ["float32", "float64"]


def test_the_second_order_is_judged_after_the_first():
    class WrongTwice(torch.autograd.Function):
        """Right, but saves a detached product, so that its own backward lacks a term."""

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, c):
            (x,) = ctx.saved_tensors
            return c * 3 * x * x.detach()

    assert check(lambda x: x**3, drawn(3), order=2).passed
    assert check(WrongTwice.apply, drawn(3)).passed
    second = check(WrongTwice.apply, drawn(3), order=2)
    assert second.verdict == "fail"
    assert second.subject.startswith("d (d WrongTwice)")
    assert check(ForgetsToScale.apply, point(), order=2).subject.startswith("d ForgetsToScale")


# Chance


def test_a_stochastic_forward_is_refused():
    with pytest.raises(Unrepeatable) as refusal:
        check(nn.Dropout(0.5), drawn(4))
    assert str(refusal.value).splitlines() == [
        "check: Dropout draws random numbers in its forward",
        "  the state of a random generator is another after a call; wanted a function of its arguments alone",
        "  call .eval() first, or pass fixed_rng=True to restart the generators before every call",
    ]
    assert check(nn.Dropout(0.5).eval(), drawn(4)).passed
    # a mask that leaves everything as it is, by chance, is none the less drawn
    with pytest.raises(Unrepeatable, match="draws random numbers"):
        check(nn.Dropout(1e-9), drawn(4))


def test_with_its_generator_restarted_dropout_is_a_function_and_can_be_wrong():
    assert check(nn.Dropout(0.5), drawn(4, 5), fixed_rng=True).passed
    found = check(lambda x: F.dropout(x, 0.5) + 0.1 * F.dropout(x, 0.5).detach(), drawn(4, 5), fixed_rng=True)
    assert found.verdict == "fail"


def test_numpy_s_and_python_s_chance_is_seen_as_well():
    for draw in (np.random.random, random.random):
        with pytest.raises(Unrepeatable, match="draws random numbers"):
            check(lambda x, draw=draw: x * draw(), drawn(3))
    hidden = iter(range(1000))
    with pytest.raises(
        Unrepeatable, match=r"(?s)gives another output at a second call.*3 of 3 elements differ"
    ):
        check(lambda x: x * next(hidden), drawn(3))


# What a check leaves behind


def test_nothing_of_the_user_s_changes():
    net = seeded(Net())
    net.calls = 0
    net.register_forward_hook(lambda module, *_: setattr(module, "calls", module.calls + 1))
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    images = drawn(2, 1, 4, 4)
    before = {n: t.clone() for n, t in net.state_dict().items()}
    places = {n: t.data_ptr() for n, t in net.state_dict().items()}
    value = images.detach().clone()
    torch.manual_seed(7)
    generator, numpys, pythons = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
    with torch.no_grad():
        assert check(net, (images,)).passed
        assert check(nn.Dropout(0.5), drawn(3), fixed_rng=True).passed
        assert not torch.is_grad_enabled()
    assert net.training
    assert net.calls == 0
    assert {n: t.data_ptr() for n, t in net.state_dict().items()} == places
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in net.parameters())
    assert torch.equal(images, value)
    assert images.grad is None
    assert torch.equal(torch.get_rng_state(), generator)
    assert (np.random.get_state()[1] == numpys).all()  # noqa: NPY002
    assert random.getstate() == pythons


def test_modes_are_put_back_even_where_the_function_raises():
    def rude(x):
        torch.set_default_dtype(torch.float16)
        torch.set_grad_enabled(False)
        torch.manual_seed(0)
        raise KeyError("rude")

    torch.manual_seed(3)
    state = torch.get_rng_state()
    with pytest.raises(KeyError, match="rude"):
        check(rude, drawn(3))
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)


def test_dtype_carries_a_copy_and_leaves_the_module():
    layer = nn.Linear(3, 2)
    found = check(layer, (torch.ones(2, 3),), dtype=torch.float64, device="cpu")
    assert found.passed
    assert found.parts[0].dtype == "float64"
    assert layer.weight.dtype == torch.float32


def test_the_same_seed_says_the_same():
    one, other = (str(check(ForgetsToScale.apply, point(), seed=5)) for _ in range(2))
    assert one == other
    assert one != str(check(ForgetsToScale.apply, point(), seed=6))


# Refusals


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: check(torch.sin, torch.ones(3)), ValueError, "nothing requires grad"),
        (lambda: check(torch.sin, drawn(3), wrt=("y",)), ValueError, r"(?s)no such input.*wrt = \('y',\)"),
        (lambda: check(torch.sin, drawn(3), linear_in=("z",)), ValueError, "linear_in names no input of sin"),
        (lambda: check(torch.sin, drawn(3), order=3), ValueError, "order = 3, wanted 1 or 2"),
        (lambda: check(lambda x: x.detach(), drawn(3)), TypeError, "no output that can be differentiated"),
        (
            lambda: check(nn.LazyLinear(2), drawn(3, 3)),
            TypeError,
            "(?s)uninitialised.*call a lazy module once",
        ),
        (
            lambda: check(torch.sin, torch.ones(2, dtype=torch.complex64, requires_grad=True)),
            TypeError,
            "real",
        ),
    ],
)
def test_wrong_calls_are_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_a_missing_library_names_the_extra(monkeypatch):
    import importlib

    def none(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", none)
    with pytest.raises(
        ModuleNotFoundError, match=r"torch is not installed: pip install 'gradcheck\[torch\]'"
    ):
        check(torch.sin, drawn(3))


# Arrays


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_arrays_and_tensors_share_memory_and_strides(dtype):
    tensor = drawn(3, 4, dtype=dtype, grad=False).T
    array = to_numpy(torch, tensor)
    assert array.strides == tuple(s * tensor.itemsize for s in tensor.stride())
    back = from_numpy(torch, array)
    assert (back.dtype, back.data_ptr()) == (tensor.dtype, tensor.data_ptr())
    assert torch.equal(back, tensor)
    reverse = array[::-1]
    assert torch.equal(from_numpy(torch, reverse), tensor.flip(0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_on_a_cuda_device(dtype):
    found = check(seeded(Net()), (drawn(2, 1, 4, 4),), device="cuda", dtype=dtype)
    assert found.passed, str(found)
    assert check(WrongOrder.apply, point(), device="cuda").verdict == "fail"


# Batches: several samples by one torch.func.vmap


def recurrent(x, w):
    h = torch.zeros_like(x[0])
    for row in x:
        h = torch.tanh(row + h @ w)
    return h, {"sum": h.sum(), "constant": torch.ones(2, dtype=h.dtype)}


class Doubled(torch.autograd.Function):
    """Right for one point, and another function for a batch."""

    @staticmethod
    def forward(x):
        return torch.sin(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, c):
        return c * torch.cos(ctx.saved_tensors[0])

    @staticmethod
    def vmap(info, in_dims, x):
        return 2 * Doubled.apply(x), in_dims[0]


def both(function, *inputs, **options):
    """The checks without batches and with them."""
    return [check(function, inputs, batched=batched, **options) for batched in (False, True)]


def test_torch_s_samples_are_taken_together():
    for function, *inputs in (
        (recurrent, drawn(4, 2, 3), drawn(3, 3, seed=1)),
        (
            seeded(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2))),
            drawn(2, 1, 4, 4),
        ),
    ):
        one, many = both(function, *inputs)
        assert one.passed
        assert many.passed
        assert many.calls < 0.75 * one.calls
        assert [p.resolution for p in many.parts] == pytest.approx([p.resolution for p in one.parts], rel=1)
        assert many.notes == one.notes


def test_a_wrong_gradient_fails_in_batches_too():
    class Halved(Doubled):
        generate_vmap_rule = True
        vmap = torch.autograd.Function.vmap

        @staticmethod
        def backward(ctx, c):
            return c * torch.cos(ctx.saved_tensors[0]) / 2

    one, many = both(Halved.apply, drawn(5))
    assert str(one.verdict) == str(many.verdict) == "fail"
    assert many.diagnosis == one.diagnosis
    assert many.calls < one.calls


@pytest.mark.parametrize(
    ("function", "inputs", "options"),
    [
        (lambda x: x * x.abs().max().item(), (drawn(5),), {}),
        (Right.apply, (drawn(3, 2), drawn(2, 4, seed=1)), {}),
        (nn.BatchNorm1d(3).double(), (drawn(7, 3),), {}),
        (nn.Dropout(0.5), (drawn(7, 3),), {"fixed_rng": True}),
        (Doubled.apply, (drawn(5),), {}),
    ],
    ids=["item", "a Function without vmap", "buffers", "random", "another function"],
)
def test_where_there_is_no_vmap_samples_are_taken_one_by_one(function, inputs, options):
    one, many = both(function, *inputs, **options)
    assert str(many.verdict) == str(one.verdict)
    assert many.resolution == one.resolution
    assert many.notes == one.notes
    assert one.calls < many.calls <= one.calls + 3


def test_torch_s_batches_are_of_small_things_in_few_digits_unless_asked_for():
    x = drawn(SMALL // 8 + 1)
    alone, auto, asked = (check(torch.sin, x, batched=b) for b in (False, "auto", True))
    assert 0.75 * auto.calls == 0.75 * alone.calls > asked.calls
    for dtype, batched in ((torch.float64, False), (torch.float32, True)):
        small = drawn(20).detach().to(dtype).requires_grad_()
        alone, auto = (check(torch.sin, small, batched=b) for b in (False, "auto"))
        assert (auto.calls < alone.calls) is batched
    with pytest.raises(ValueError, match="batched = 'yes', wanted True, False or 'auto'"):
        check(torch.sin, x, batched="yes")
