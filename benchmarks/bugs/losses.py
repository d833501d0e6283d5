"""Bugs of softmax and of the losses on top of it."""

from __future__ import annotations

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def softmax(c, axis=-1):
    e = np.exp(c - c.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(c):
    shifted = c - c.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@bug("softmax's pullback without the shift", "NNlib.jl #68: exp of 1891", "nan")
def softmax_shift(r: Draw) -> Made:
    def pull(g, p):
        return p * (g - (g * p).sum())

    def wrong(g, c):
        e = np.exp(c)
        return pull(g, e / e.sum())

    return softmax, lambda g, c: pull(g, softmax(c)), wrong, (np.array([1891.0, 1890.2, 1889.5]),)


@bug("log softmax through softmax", "NNlib.jl #68: divided by a probability that underflows", "nan")
def log_softmax_through(r: Draw) -> Made:
    def wrong(g, c):
        p = softmax(c)
        h = g / p
        return p * (h - (h * p).sum())

    return (
        log_softmax,
        lambda g, c: g - softmax(c) * g.sum(),
        wrong,
        (np.array([-431.0, 379.0, 427.0]),),
    )


def cross_entropy(name, source, target, wrong_target, weight, wrong_weight):
    """A recipe: −Σ_n weight_n Σ_k target_nk log softmax(c)_nk."""

    def pull(g, c, t, w):
        return g * w[:, None] * (softmax(c) * t.sum(axis=1, keepdims=True) - t)

    def make(r: Draw) -> Made:
        return (
            lambda c: -(weight[:, None] * target * log_softmax(c)).sum(),
            lambda g, c: pull(g, c, target, weight),
            lambda g, c: pull(g, c, wrong_target, wrong_weight),
            (r(*target.shape),),
        )

    return bug(name, source)(make)


HOT = np.eye(4)[[2, 0, 3, 0, 1]]
KEPT = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
CLASS_WEIGHT = np.array([3.0, 0.5, 2.0, 3.0, 1.0])

FIFTH, THIRD = np.full(5, 1 / 5), np.full(5, 1 / 3)
SMOOTH = 0.9 * HOT + 0.025

ignored = cross_entropy(
    "cross-entropy with ignored targets",
    "utils.pytorch #4: averaged over the ignored ones too",
    target=HOT,
    wrong_target=HOT,
    weight=KEPT / 3,
    wrong_weight=KEPT / 5,
)
smoothed = cross_entropy(
    "cross-entropy with smoothed labels",
    "Liger-Kernel #198 (review): the gradient of the unsmoothed one",
    target=SMOOTH,
    wrong_target=HOT,
    weight=FIFTH,
    wrong_weight=FIFTH,
)
smoothed_ignored = cross_entropy(
    "smoothed labels of ignored targets",
    "PyTorch #73205: the uniform part does not skip them",
    target=SMOOTH * KEPT[:, None],
    wrong_target=0.9 * HOT * KEPT[:, None] + 0.025,
    weight=THIRD,
    wrong_weight=THIRD,
)
weighted = cross_entropy(
    "cross-entropy with class weights",
    "PyTorch #63122 (review): divided by the number of patterns, not by the sum of their weights",
    target=HOT,
    wrong_target=HOT,
    weight=CLASS_WEIGHT / CLASS_WEIGHT.sum(),
    wrong_weight=CLASS_WEIGHT / 5,
)
