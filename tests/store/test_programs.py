"""Where PostgreSQL's programs come from. How they are run is tested with the server (test_embedded)."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

import pytest

from alarmhub.store.programs import Programs, ServerFault


def test_without_the_library_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A production installation may leave it out, and names a DSN."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ServerFault, match="dsn"):
        Programs(copy_to=tmp_path / "programs")


def test_a_library_without_our_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than run the data through another one."""
    found = importlib.machinery.ModuleSpec("x", None, origin=str(tmp_path / "x" / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)

    with pytest.raises(ServerFault, match="PostgreSQL 18"):
        Programs(copy_to=tmp_path / "programs")


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    """In one line, the last it wrote."""
    programs = Programs(copy_to=tmp_path / "programs")

    with pytest.raises(ServerFault, match=r"^pg_ctl failed: .*no operation specified") as fault:
        programs.run("pg_ctl")

    assert "\n" not in str(fault.value)


def test_what_can_be_entered_is_asked_as_the_servers_user(tmp_path: Path) -> None:
    """The root folder can, what does not exist cannot."""
    programs = Programs(copy_to=tmp_path / "programs")

    assert programs.can_enter(Path("/"))
    assert not programs.can_enter(tmp_path / "missing")
