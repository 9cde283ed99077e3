"""A secret that does not print: stars in str, repr, format, logs and JSON.

It keeps passwords, bearer secrets and DSNs out of logs, error texts and dumped settings by accident of
formatting. It does not encrypt, and it does not protect against code that calls `reveal`.
"""

from __future__ import annotations

import hmac

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
