"""What each id of the derivations says, for `gradcheck show`; and the same equations as MathML, for pages."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

EQUATIONS = {
    "L1": "E = ½ Σ_n Σ_k (t − y)²",
    "L2": "∂E/∂y = y − t, and ∂E/∂t = t − y",
    "L3": "one-of-C targets: 1 for the class; the others 0 for sigmoid, −1 for tanh",
    "A1": "f = sigmoid, f' = f(1 − f)",
    "A2": "f = tanh, f' = 1 − f²; scaled: f = a·tanh(b·u), a = 1.7159, b = 2/3",
    "A3": "f = identity, f' = 1",
    "D1": "u = W x + b, y = f(u)",
    "D2": "∂E/∂b = ∂E/∂u = δ, summed over the batch",
    "D3": "output layer: δ^L = f'(u^L) ∘ (y − t)",
    "D4": "δ^l = (W^{l+1})ᵀ δ^{l+1} ∘ f'(u^l)",
    "D5": "∂E/∂W = δ xᵀ, summed over the batch",
    "D6": "ΔW = −η ∂E/∂W, one rate for all or one η_ij for each weight",
    "C1": "u_j = Σ_{i∈M_j} conv2(x_i, k_ij, 'valid') + b_j, y_j = f(u_j)",
    "C2": "before a subsampling layer: δ_j = β_j (f'(u_j) ∘ up(δ_j^{l+1}))",
    "C3": "up(x) = x ⊗ 1_{n×n}",
    "C4": "∂E/∂b_j = Σ_uv δ_j, and over the batch",
    "C5": "∂E/∂k_ij = Σ_uv (δ_j)_uv (p_i)_uv, the patch p_i read flipped",
    "C6": "∂E/∂k_ij = rot180(conv2(x_i, rot180(δ_j), 'valid'))",
    "C7": "∂E/∂x_i = Σ_{j: i∈M_j} conv2(δ_j, rot180(k_ij), 'full')",
    "S1": "d_j = down(x_j), the sum over each n×n block; u_j = β_j d_j + b_j, y_j = f(u_j)",
    "S2": "before a convolution layer: δ_i = f'(u_i) ∘ Σ_{j: i∈M_j} "
    "conv2(δ_j^{l+1}, rot180(k_ij^{l+1}), 'full')",
    "S3": "∂E/∂b_j = Σ_uv δ_j, and over the batch",
    "S4": "∂E/∂β_j = Σ_uv δ_j ∘ d_j, and over the batch",
    "S5": "∂E/∂x_j = β_j up(δ_j)",
    "M1": "u_j = Σ_i α_ij conv2(x_i, k_i, 'valid') + b_j, one kernel for each input map",
    "M2": "α_ij = exp(c_ij) / Σ_k exp(c_kj)",
    "M3": "∂α_k/∂c_i = [k = i] α_i − α_i α_k",
    "M4": "∂E/∂α_ij = Σ_uv δ_j ∘ conv2(x_i, k_i, 'valid'), and over the batch",
    "M5": "∂E/∂c_ij = α_ij (∂E/∂α_ij − Σ_k ∂E/∂α_kj α_kj)",
    "M6": "∂E/∂k_i = Σ_j α_ij rot180(conv2(x_i, rot180(δ_j), 'valid')), "
    "∂E/∂x_i = Σ_j α_ij conv2(δ_j, rot180(k_i), 'full'), ∂E/∂b_j = Σ_uv δ_j",
    "P1": "Ẽ = E + Ω, Ω = λ Σ_ij |α_ij|",
    "P2": "∂Ω/∂α_ij = λ sign(α_ij)",
    "P3": "∂Ω/∂c_ij = λ(|α_ij| − α_ij Σ_k |α_kj|), which is zero",
    "P4": "∂Ẽ/∂c = ∂E/∂c + ∂Ω/∂c",
    "K1": "up-sampling by the Kronecker product with a block of ones",
    "K2": "down-sampling by convolving ('valid') with n×n ones, then y = x[0::n, 0::n]",
    "K3": "the sigmoid's derivative from its output, y(1 − y), not by a second exp",
}

ERRATA = {
    "E1": "eq. (2), ∂E/∂W = x δᵀ, has shape (D, K); in the layout of the forward pass it is δ xᵀ",
    "E2": "S2 names one receiving map; a map feeds several: sum over all j with i ∈ M_j",
    "E3": "C4–C6, S3–S4, M4 are written for one pattern; over a batch, sum over n as well",
    "E4": "C5, the patch as it lies in x, is rot180(∂E/∂k) under true convolution; right under correlation",
    "E5": "C2 holds for block sums; with block means there is a further 1/n². Sides must be divisible by n",
    "E6": "P3 is identically zero: Σα = 1 and α >= 0 make Ω = λJ constant, and the penalty without effect",
    "E7": "K2 with 'same' is wrong from n = 3 (MATLAB) or n = 2 (SciPy); only 'valid' is right for all n",
    "E8": "M1 has k_i where C1 has k_ij: one kernel for each input map; its gradient sums over output maps",
    "E9": "A1 and M2 as written overflow for large arguments: shift by the maximum, use a stable sigmoid",
}


@cache
def mathml() -> dict[str, str]:
    """MathML of every equation by its id, as `reference.catalogue.latex` made it."""
    text = files("reference.catalogue").joinpath("mathml.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
