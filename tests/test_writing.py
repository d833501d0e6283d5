"""Files are there whole or not at all, and a place is tried before the work."""

import os
import stat
import threading

import pytest

from gradcheck.writing import try_place, write_whole


def test_a_file_is_written_whole_readable_and_alone(tmp_path):
    place = tmp_path / "c.json"
    place.write_text("before")
    write_whole("after ∂", place)
    assert place.read_text(encoding="utf-8") == "after ∂"
    assert os.listdir(tmp_path) == ["c.json"]
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_link_is_followed_and_stays_one(tmp_path):
    (tmp_path / "there").write_text("before")
    (tmp_path / "link").symlink_to("there")
    write_whole("after", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_text() == "after"


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    try_place(pipe)
    write_whole("through", pipe)
    reader.join(timeout=10)
    assert (found, pipe.is_fifo()) == (["through"], True)


def test_what_utf_8_cannot_hold_is_escaped(tmp_path):
    write_whole("a\ud800b", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == rb"a\ud800b"


def test_a_file_that_cannot_be_finished_leaves_what_was_there(tmp_path, monkeypatch):
    place = tmp_path / "c.json"
    place.write_text("before")

    def full(source, target):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole("after", place)
    assert place.read_text() == "before"
    assert os.listdir(tmp_path) == ["c.json"]


def test_a_place_is_tried_without_leaving_anything(tmp_path):
    try_place(tmp_path / "new.json")
    (tmp_path / "old.json").write_text("before")
    try_place(tmp_path / "old.json")
    assert os.listdir(tmp_path) == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "before"


def test_places_that_cannot_be_written_are_found_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(IsADirectoryError, match="is a directory"):
        try_place(tmp_path)
    with pytest.raises(FileNotFoundError):
        try_place(tmp_path / "nowhere" / "c.json")
    with pytest.raises(NotADirectoryError):
        try_place(tmp_path / "file" / "c.json")
    with pytest.raises(OSError, match=r"(?i)file ?name"):
        try_place(tmp_path / ("x" * 300))
