"""Schemas: the published JSON Schema of each file that the program writes."""

from __future__ import annotations

from importlib.resources import files


def certificate_schema() -> str:
    """JSON Schema (draft 2020-12) of a certificate, as text.

    It is open to readers: a later program may add parts to the same version, and a file with more in it still
    validates. What the program itself writes is all described, which its tests see to.

    Examples
    --------
    >>> import json
    >>> json.loads(certificate_schema())["properties"]["schema"]
    {'const': 'gradcheck/certificate/1'}
    """
    return files(__name__).joinpath("certificate-1.json").read_text(encoding="utf-8")


def vector_schema() -> str:
    """JSON Schema (draft 2020-12) of a test vector in its JSON form, and of an answer to it, as text.

    Examples
    --------
    >>> import json
    >>> json.loads(vector_schema())["$id"]
    'gradcheck/vector/1'
    """
    return files(__name__).joinpath("vector-1.json").read_text(encoding="utf-8")
