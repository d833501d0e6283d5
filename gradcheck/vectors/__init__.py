"""Test vectors for other languages: cases with what is right of them, written to files; answers, judged."""

from gradcheck.formats import FORMATS, VectorError
from gradcheck.vectors.answers import judge_answers
from gradcheck.vectors.export import export
from gradcheck.vectors.vector import Vector, vector_of

__all__ = ["FORMATS", "Vector", "VectorError", "export", "judge_answers", "vector_of"]
