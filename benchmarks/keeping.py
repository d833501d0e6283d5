"""What a long study has found so far, in a file from which the same study goes on."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Kept:
    """Parts of a study by name, in an SQLite file: each is in it whole or not at all, whenever the study is ended.

    Parameters
    ----------
    path : Path
    settings : mapping
        What decides the parts; a file of another study is refused.

    Raises
    ------
    ValueError
        The file is no such file, or of a study with other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        try:
            self.file = sqlite3.connect(path)
            with self.file:
                self.file.execute("CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, data BLOB)")
        except sqlite3.Error as error:
            raise ValueError(
                f"calibration: the file is none that a study was kept in\n  {path}: {error}\n"
                "  name another, or delete it"
            ) from error
        before, now = self.get("settings"), dict(settings)
        if before is not None and before != now:
            differing = [
                f"{key} = {before.get(key)!r}, now {now[key]!r}" for key in now if before.get(key) != now[key]
            ]
            raise ValueError(
                "calibration: the file holds another study\n  " + "\n  ".join(differing) + "\n"
                "  go on with the same settings, or name another file"
            )
        self.put("settings", now)

    def get(self, name: str) -> Any:
        """A part, or None."""
        found = self.file.execute("SELECT data FROM parts WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(zlib.decompress(found[0]))

    def put(self, name: str, data: Any) -> None:
        """Keep a part."""
        with self.file:
            packed = zlib.compress(json.dumps(data).encode())
            self.file.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (name, packed))

    def close(self) -> None:
        """Let the file go."""
        self.file.close()
