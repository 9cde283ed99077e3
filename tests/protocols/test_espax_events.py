"""What a session hands out."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from protocols.espax_events import LoginAsked


def test_a_login_does_not_print_its_password() -> None:
    """Neither in a log line nor on a console."""
    asked = LoginAsked(1, "lichtruf", "geheim12")
    console = Console(file=StringIO())
    console.print(asked)

    assert "geheim12" not in repr(asked) + str(asked) + console.file.getvalue()  # type: ignore[attr-defined]
    assert "lichtruf" in repr(asked)
