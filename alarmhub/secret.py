"""A secret that does not print: stars in str, repr, format, logs and JSON.

It keeps passwords, bearer secrets and DSNs out of logs, error texts and dumped settings by accident of
formatting. It does not encrypt, and it does not protect against code that calls `reveal`. `kept` is a secret
that this installation makes for itself and keeps in a file.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

STARS = "********"


class Secret:
    """A string that only `reveal()` shows. Comparison takes the same time wherever two secrets differ."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Call it where the secret is used, never where it is passed on or written down."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return STARS

    def __repr__(self) -> str:
        return f"Secret({STARS})"

    def __format__(self, format_spec: str) -> str:
        return format(STARS, format_spec)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        # A pickle would carry the text in the clear to wherever it is stored.
        raise TypeError("a Secret is not pickled")


def kept(path: Path, fresh: Callable[[], str]) -> Secret:
    """The secret in this file, made by `fresh` at first use, with mode 0600, and the folder with it. Raises
    PermissionError when others may read it or we may not, and OSError when it cannot be had."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _place(path, fresh())
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} can be read by others; remove it, or give it mode 0600")
    return Secret(path.read_text(encoding="ascii").strip())


def _place(path: Path, text: str) -> None:
    # Written under a name of its own and then linked: nobody ever reads half a secret, and of two processes
    # that start at once the second takes the first one's.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
