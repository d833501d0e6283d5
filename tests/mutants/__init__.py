"""Wrong gradients of every operation of the notes, kept on purpose: each wrong in one input, in one way."""

from tests.mutants import combinations, convolutions, elementwise, networks, sampling
from tests.mutants.mutant import Mutant

MUTANTS = (
    *elementwise.MUTANTS,
    *sampling.MUTANTS,
    *convolutions.MUTANTS,
    *combinations.MUTANTS,
    *networks.MUTANTS,
)

__all__ = ["MUTANTS", "Mutant"]
