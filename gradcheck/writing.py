"""Writing: files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(text: str, path: str | os.PathLike[str]) -> None:
    r"""Write a text file whole or not at all: beside its place first, then moved there.

    A link is followed, and what is no ordinary file (a pipe, /dev/stdout) is written to as it is. Half a
    surrogate pair, which UTF-8 cannot hold, becomes its escape: \ud800.

    Raises
    ------
    OSError
        When the place cannot be written; what was there before is left as it was.
    """
    place, data = Path(path).resolve(), text.encode("utf-8", "backslashreplace")
    if place.exists() and not place.is_file():
        place.write_bytes(data)
        return
    handle, beside = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name[:80]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, place)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def try_place(path: str | os.PathLike[str]) -> None:
    """Find out, before the work, whether `write_whole` could write there.

    By doing it, with an empty file beside the place: permissions are only one of the reasons why it may fail,
    and root is told that everything is permitted.

    Raises
    ------
    OSError
        As `write_whole` would.
    """
    place = Path(path).resolve()
    if place.is_dir():
        raise IsADirectoryError(f"{place} is a directory")
    if not place.exists() or place.is_file():
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=f".{place.name[:80]}."):
            pass
    elif not os.access(place, os.W_OK):
        raise PermissionError(f"cannot be written: {place}")


def _umask() -> int:
    """The process's mask: mkstemp makes files that only their owner reads, which a report is not."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
