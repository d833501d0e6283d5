"""Bugs of recurrence and attention."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.bugs.recipe import Draw, Made, bug


def recurrent(x, W, U, mask):
    """Every state: h_t = tanh(W x_t + U h_{t−1}) where mask_t is one, h_{t−1} where it is zero; h_0 = 0."""
    states = [np.zeros(len(U), np.result_type(x, W, U))]
    for t in range(len(x)):
        new = np.tanh(W @ x[t] + U @ states[-1])
        states.append(mask[t] * new + (1 - mask[t]) * states[-1])
    return states


def recurrent_pullback(g, x, W, U, mask, carried=True, state_of=lambda t: t, mask_of=lambda t: t):
    """Gradients in x, W and U; the wrong ones differ in what is carried back and in where it is read."""
    states = recurrent(x, W, U, mask)
    dx, dW, dU, dh = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros(len(U))
    for t in reversed(range(len(x))):
        keep = mask[mask_of(t)]
        new = np.tanh(W @ x[t] + U @ states[t])
        dh = dh + g[t]
        du = keep * dh * (1 - new * new)
        dx[t], dW, dU = W.T @ du, dW + np.outer(du, x[t]), dU + np.outer(du, states[state_of(t)])
        dh = (U.T @ du + (1 - keep) * dh) if carried else np.zeros(len(U))
    return dx, dW, dU


def recurrence(name, source, mask, **wrong):
    def make(r: Draw) -> Made:
        return (
            lambda x, W, U: np.stack(recurrent(x, W, U, mask)[1:]),
            lambda g, x, W, U: recurrent_pullback(g, x, W, U, mask),
            lambda g, x, W, U: recurrent_pullback(g, x, W, U, mask, **wrong),
            (r(4, 2), r(3, 2), 0.7 * r(3, 3)),
        )

    return bug(name, source)(make)


ALL = np.ones((4, 3))
SOME = np.array([[1.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])

uncarried = recurrence(
    "recurrence cut",
    "qixianbiao/RNN #2, AiDotNet #722 (review): nothing carried back in time",
    ALL,
    carried=False,
)
state_late = recurrence(
    "recurrence by the wrong state",
    "zero_to_gpt #9: the state after the step where the one before is meant",
    ALL,
    state_of=lambda t: t + 1,
)
zoneout = recurrence(
    "zoneout's mask",
    "haste #43: that of the first step at every step",
    SOME,
    mask_of=lambda t: 0,
)


def attention(q, k, v, allowed):
    p = masked_weights(q, k, allowed)
    return p @ v


def masked_weights(q, k, allowed):
    scores = q @ k.T / math.sqrt(q.shape[1])
    e = np.where(allowed, np.exp(scores - scores.real.max()), 0)
    return e / e.sum(axis=1, keepdims=True)


def attention_pullback(g, q, k, v, p, of_scores):
    s = of_scores(p, g @ v.T) / math.sqrt(q.shape[1])
    return s @ k, s.T @ q, p.T @ g


def right_scores(p, dp):
    return p * (dp - (p * dp).sum(axis=1, keepdims=True))


@bug("causal attention", "flash-attention-turing #5: the backward pass without the mask")
def causal(r: Draw) -> Made:
    allowed = np.tri(4, dtype=bool)
    everything = np.ones((4, 4), dtype=bool)

    def pull(g, q, k, v, mask):
        return attention_pullback(g, q, k, v, masked_weights(q, k, mask), right_scores)

    return (
        lambda q, k, v: attention(q, k, v, allowed),
        lambda g, q, k, v: pull(g, q, k, v, allowed),
        lambda g, q, k, v: pull(g, q, k, v, everything),
        (r(4, 3), r(4, 3), r(4, 2)),
    )


@bug(
    "attention without the row's sum",
    "flash-sparse-attention #109 (review): what the softmax subtracts is lost",
)
def row_sum(r: Draw) -> Made:
    everything = np.ones((3, 5), dtype=bool)

    def pull(g, q, k, v, of_scores):
        return attention_pullback(g, q, k, v, masked_weights(q, k, everything), of_scores)

    return (
        lambda q, k, v: attention(q, k, v, everything),
        lambda g, q, k, v: pull(g, q, k, v, right_scores),
        lambda g, q, k, v: pull(g, q, k, v, lambda p, dp: p * dp),
        (r(3, 4), r(5, 4), r(5, 2)),
    )
