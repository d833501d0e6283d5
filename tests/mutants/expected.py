"""What each mutant's mistake is called: written from what the mutant does, beside what the judge says of it.

A row of its own ("operation.input: title") goes before the row of its title. None stands beside the reason why no
single name fits.
"""

from __future__ import annotations

NO_NUMBER = "the gradient overflows to NaN: there is no number to compare"
NO_SHAPE = "the gradient has another shape: there are no elements to compare"

EXPECTED = {
    # any gradient
    "sign": "sign",
    "with the opposite sign": "sign",
    "1e-4 too large": "factor",
    "one element doubled": "one element",
    "border row": "one slice",
    "shifted by one": "rolled on",
    "absolute": "absolute",
    # f'
    "missing f'": "missing slope",
    "missing f' (D4)": "missing slope",
    "f' of y for u": "slope of the output",
    "f for f'": "value for slope",
    "f' from y, given u (K3)": "slope of y, given u",
    "f' twice": "slope twice",
    "y(1 + y)": "slope written wrong",
    "1 - y": "slope written wrong",
    "1 + y²": "slope written wrong",
    "1 - y²": "slope written wrong",
    "b dropped within": "slope written wrong",
    "a dropped": "factor",
    "b dropped": "factor",
    "sigmoid.u: missing f'": "cotangent",
    "tanh.u: missing f'": "cotangent",
    "scaled_tanh.u: missing f'": "cotangent",
    "f' alone, the cotangent left out": "cotangent left out",
    "the cotangent left out": "cotangent left out",
    "E9, A1 to the letter: overflows": (None, NO_NUMBER),
    "E9, M2 to the letter: overflows": (None, NO_NUMBER),
    # sums and means
    "½ forgotten": "double",
    "½ kept": "half",
    "mean over the batch": "mean for sum",
    "squared_error.y: mean over the batch": "divided by size",  # E is a number: its cotangent has no batch
    "network.delta: mean over the batch": "half",
    "network.b: mean over the batch": "half",
    "mean over the classes": "divided by size",
    "mean over units": "divided by size",
    "mean over pixels": "divided by size",
    "mean over receiving maps": "divided by size",
    "divided by n": "divided by size",
    "mean for sum (E5)": "divided by square",
    "E5: of the mean": "divided by square",
    "d of the mean (S4, E5)": "divided by square",
    "times n² once more": "times square",
    "C2 with a further 1/n² (E5)": "divided by square",
    "S4 with the mean for d (E5)": "divided by square",
    "E3: one pattern": "one pattern",
    "E3: one pattern (C4)": "one pattern",
    "E3: one pattern (M4)": "one pattern",
    "one pattern (E3)": "first only",
    "one map": "first only",
    "downsample.x: one pattern (E3)": "one pattern",  # of x, whose patterns and maps are each by themselves,
    "downsample.x: one map": "one map",  # the same; told without measuring it
    "one map (E2)": "one map",
    "E2: one receiving map": "one map",
    "S2, one receiving map (E2)": "one map",
    "one unit (sum over units left out)": "one map",
    "one output map (sum over j left out)": "one map",
    "one pixel (sum over pixels left out)": "one pixel",
    "one map of δ for all": "one map for all",
    "sum over maps": "summed",
    "not summed over the batch": (None, NO_SHAPE),
    "E8: not summed over the output maps": (None, NO_SHAPE),
    "network.k: E8: not summed over the output maps": "one map",
    # the wrong one of two
    "t left out": "term left out",
    "zero: targets taken for constants": "zero",
    "zero": "zero",
    "d left out: that of b": "other input",
    "that of β": "other input",
    "W not transposed (D4)": "not transposed",
    "D4, W not transposed": "not transposed",
    "E1 to the letter: x δᵀ": "transposed",
    "network.W: E1 to the letter: x δᵀ": (None, NO_SHAPE),
    "E1, memory not turned": "memory order",
    "flattened in another order": "flattened in another order",
    "D4, flattened in another order": "flattened in another order",
    # kernels and maps
    "turned by 180 degrees": "rot180",
    "turned by 180 degrees (E4)": "rot180",
    "E4: C5 to the letter": "rot180",
    "flipped down": "flipped",
    "flipped across": "flipped",
    "maps reversed": "flipped",
    "transposed": "transposed",
    "i and j swapped": "axes swapped",
    "kernel not turned": "kernel not turned",
    "kernel not turned (C7)": "kernel not turned",
    "C7, kernel not turned": "kernel not turned",
    "S2, kernel not turned": "kernel not turned",
    "kernel flipped down alone": "kernel flipped",
    "kernel flipped across alone": "kernel flipped",
    "kernel transposed": "kernel transposed",
    "i and j of the kernel swapped": "i and j swapped",
    "unconnected kernels as well": "connections ignored",
    "unconnected maps as well": "connections ignored",
    "S2, unconnected maps as well": "connections ignored",
    "maps crossed": "i for j",
    # sub-sampling
    "one pixel of a block": "one pixel of a block",
    "C2, δ in one pixel of its block": "one pixel of a block",
    "d a sample of x": "one pixel of a block",
    "S4 with a sample of x for d": "one pixel of a block",
    "summed down, not across": "one axis of a block",
    "repeated down, not across": "one axis of a block",
    "blocks of a tiled map": "tiled",
    "tiled for Kronecker (C3)": "tiled",
    "C2, tiled for Kronecker": "tiled",
    "E7: K2 'same' as MATLAB has it": "same for valid",
    "E7: K2 'same' as SciPy has it": "same for valid",
    "d by K2 with 'same' as SciPy has it (E7)": "same for valid",
    "β dropped (S5)": "β dropped",
    "C2 without β": "β dropped",
    "β twice": "β twice",
    "β d for d": "β twice",
    "times β": "β twice",
    "S3 times β": "β twice",
    "β of the next map": "of another map",
    "u for d": "u for d",
    "y for d": "y for d",
    # combinations
    "α dropped (M6)": "α dropped",
    "M6 without α": "α dropped",
    "α and c confused": "α and c confused",
    "M6, α and c confused": "α and c confused",
    "M5, α and c confused": "α and c confused",
    "M5 with c for α": "α and c confused",
    "α over the wrong axis": "α over the wrong axis",
    "α of the next map": "of another map",
    "M5 without Σ": "softmax's sum left out",
    "M5 without its outer α": "outer α left out",
    "M5 with + Σ": "plus for minus",
    "Σ without α": "α left out of the sum",
    "Σ over j for Σ over k": "sum over the wrong index",
    "Σ over all": "sum over the wrong index",
    "M3, its diagonal alone": "softmax's diagonal alone",
    "M3, its diagonal alone: α(1 - α)": "softmax's diagonal alone",
    "missing M5: ∂E/∂α": "cotangent",
    "M5 left out: ∂E/∂α": "softmax left out",
    "M4 with x for conv2(x, k)": "x for the filtered map",
    "M4 with u for conv2(x, k)": "zero",  # the same for every i, of which the softmax's derivative is nothing
    "times Σα²": (None, "a number of its own for each map: nobody's mistake"),
    # the penalty, whose right gradient is zero: whatever it is taken for is first of all not zero
    "sparsity.c: α and c confused": "not zero",
    "sparsity.c: M3, its diagonal alone": "not zero",
    "sparsity.c: Σ over j for Σ over k": "not zero",
    "E6, P3 as a pressure: P2 taken for it": "not zero",
    "P2 in c: λ sign(c)": "not zero",
    "P3 without Σ": "not zero",
    "P3 without |α|": "not zero",
    "P3 with + Σ": "not zero",
    "one element off by 1e-4": "not zero",
    "network.c: P3 without Σ": "not centred",  # of two rows: the same in both, which centring takes away
    "E6, the penalty as a pressure: P2": "not centred",  # λ in every row, which centring takes away
    # the recursion
    "D3: t - y for y - t": "sign",
    "y - t for t - y": "sign",
    "D3 without f'": "missing slope",
    "f' nowhere": "missing slope",
    "C2 without f'": "missing slope",
    "D4 without f'": "missing slope",
    "S2 without f'": "missing slope",
    "M6 without f'": "missing slope",
    "C7 without f' on the way": "missing slope",
    "without f'": "missing slope",
    "f' of the output layer inside (D3)": "extra slope",
}  # fmt: skip


def expected(title: str) -> tuple[str | None, str]:
    """Name of the mistake of a mutant (as `str(mutant)` has it), and why it has none.

    Raises
    ------
    KeyError
        Where nothing is written of it.
    """
    entry = EXPECTED[title] if title in EXPECTED else EXPECTED[title.split(": ", 1)[1]]
    return entry if isinstance(entry, tuple) else (entry, "")
