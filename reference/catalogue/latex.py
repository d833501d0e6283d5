r"""The equations of `statements` in LaTeX, and the MathML that pages show, which is made from it.

Written out by `python -m reference.catalogue.latex` with latex2mathml, which only that needs: the result stands in
mathml.json, so that nobody who certifies has to install a converter. Prose of a statement is left out where an
equation says the same. In \fn{...} stand names of functions.
"""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

LATEX = {
    "L1": r"E = \frac{1}{2} \sum_n \sum_k (t - y)^2",
    "L2": r"\d{E}{y} = y - t, \qquad \d{E}{t} = t - y",
    "L3": r"t = 1 \text{ for the class, otherwise } 0 \text{ (sigmoid)}, -1 \text{ (tanh)}",
    "A1": r"f = \fn{sigmoid}, \qquad f' = f (1 - f)",
    "A2": r"f = \fn{tanh}, \quad f' = 1 - f^2; \qquad f = a \cdot \fn{tanh}(b \cdot u), \quad a = 1.7159, \quad "
    r"b = \frac{2}{3}",
    "A3": r"f = \fn{identity}, \qquad f' = 1",
    "D1": r"u = W x + b, \qquad y = f(u)",
    "D2": r"\d{E}{b} = \d{E}{u} = \delta, \quad \text{summed over the batch}",
    "D3": r"\delta^L = f'(u^L) \circ (y - t)",
    "D4": r"\delta^l = (W^{l+1})^T \, \delta^{l+1} \circ f'(u^l)",
    "D5": r"\d{E}{W} = \delta \, x^T, \quad \text{summed over the batch}",
    "D6": r"\Delta W = -\eta \d{E}{W}, \quad \text{one rate for all or one } \eta_{ij} \text{ for each weight}",
    "C1": r"u_j = \sum_{i \in M_j} \fn{conv2}(x_i, k_{ij}, \text{'valid'}) + b_j, \qquad y_j = f(u_j)",
    "C2": r"\delta_j = \beta_j \, (f'(u_j) \circ \fn{up}(\delta_j^{l+1})), \quad "
    r"\text{before a subsampling layer}",
    "C3": r"\fn{up}(x) = x \otimes 1_{n \times n}",
    "C4": r"\d{E}{b_j} = \sum_{uv} \delta_j, \quad \text{and over the batch}",
    "C5": r"\d{E}{k_{ij}} = \sum_{uv} (\delta_j)_{uv} (p_i)_{uv}, \quad \text{the patch } p_i \text{ read flipped}",
    "C6": r"\d{E}{k_{ij}} = \fn{rot180}(\fn{conv2}(x_i, \fn{rot180}(\delta_j), \text{'valid'}))",
    "C7": r"\d{E}{x_i} = \sum_{j: \, i \in M_j} \fn{conv2}(\delta_j, \fn{rot180}(k_{ij}), \text{'full'})",
    "S1": r"d_j = \fn{down}(x_j), \quad \text{the sum over each } n \times n \text{ block}; \qquad "
    r"u_j = \beta_j d_j + b_j, \quad y_j = f(u_j)",
    "S2": r"\delta_i = f'(u_i) \circ \sum_{j: \, i \in M_j} \fn{conv2}(\delta_j^{l+1}, \fn{rot180}(k_{ij}^{l+1}), "
    r"\text{'full'}), \quad \text{before a convolution layer}",
    "S3": r"\d{E}{b_j} = \sum_{uv} \delta_j, \quad \text{and over the batch}",
    "S4": r"\d{E}{\beta_j} = \sum_{uv} \delta_j \circ d_j, \quad \text{and over the batch}",
    "S5": r"\d{E}{x_j} = \beta_j \, \fn{up}(\delta_j)",
    "M1": r"u_j = \sum_i \alpha_{ij} \, \fn{conv2}(x_i, k_i, \text{'valid'}) + b_j, \quad "
    r"\text{one kernel for each input map}",
    "M2": r"\alpha_{ij} = \frac{\fn{exp}(c_{ij})}{\sum_k \fn{exp}(c_{kj})}",
    "M3": r"\d{\alpha_k}{c_i} = [k = i] \, \alpha_i - \alpha_i \alpha_k",
    "M4": r"\d{E}{\alpha_{ij}} = \sum_{uv} \delta_j \circ \fn{conv2}(x_i, k_i, \text{'valid'}), \quad "
    r"\text{and over the batch}",
    "M5": r"\d{E}{c_{ij}} = \alpha_{ij} (\d{E}{\alpha_{ij}} - \sum_k \d{E}{\alpha_{kj}} \alpha_{kj})",
    "M6": r"\d{E}{k_i} = \sum_j \alpha_{ij} \, \fn{rot180}(\fn{conv2}(x_i, \fn{rot180}(\delta_j), "
    r"\text{'valid'})), \qquad \d{E}{x_i} = \sum_j \alpha_{ij} \, \fn{conv2}(\delta_j, \fn{rot180}(k_i), "
    r"\text{'full'}), \qquad \d{E}{b_j} = \sum_{uv} \delta_j",
    "P1": r"\tilde{E} = E + \Omega, \qquad \Omega = \lambda \sum_{ij} |\alpha_{ij}|",
    "P2": r"\d{\Omega}{\alpha_{ij}} = \lambda \, \fn{sign}(\alpha_{ij})",
    "P3": r"\d{\Omega}{c_{ij}} = \lambda (|\alpha_{ij}| - \alpha_{ij} \sum_k |\alpha_{kj}|), \quad "
    r"\text{which is zero}",
    "P4": r"\d{\tilde{E}}{c} = \d{E}{c} + \d{\Omega}{c}",
    "K1": r"\fn{up}(x) = x \otimes 1_{n \times n}",
    "K2": r"\fn{down}(x) = \fn{conv2}(x, 1_{n \times n}, \text{'valid'})[0::n, 0::n]",
    "K3": r"f' = y (1 - y), \quad \text{not by a second } \fn{exp}",
}


def converted(latex: str) -> str:
    r"""MathML of one equation, in which \d{a}{b} is a partial derivative and \fn{...} the name of a function."""
    from latex2mathml.converter import convert

    plain = re.sub(r"\\fn\{(\w+)\}", r"\\text{\1}", latex)
    partial = re.compile(r"\\d\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}")
    root = ElementTree.fromstring(
        convert(partial.sub(r"\\frac{\\partial \1}{\\partial \2}", plain), display="block")
    )
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _tidy(element, set(re.findall(r"\\fn\{(\w+)\}", latex)))
    root.attrib.clear()
    return ElementTree.tostring(root, encoding="unicode")


def _tidy(element: ElementTree.Element, functions: set[str]) -> None:
    """Names of functions as identifiers rather than prose, and no operators without a sign."""
    if element.tag == "mtext" and element.text in functions:
        element.tag = "mi"
    for child in list(element):
        if child.tag.endswith("mo") and not child.text:
            element.remove(child)


def main() -> None:
    """Print the file."""
    print(json.dumps({name: converted(each) for name, each in LATEX.items()}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
