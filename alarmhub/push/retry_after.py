"""What a provider says in Retry-After (RFC 9110 §10.2.3): seconds, or an instant.

It refuses to believe what nobody can wait for: the longest is a day, an instant that is over is now.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 86_400.0


def retry_after_s(text: str | None, now: int, otherwise_s: float = 0.0) -> float:
    """Seconds from `now` (epoch ms); `otherwise_s` where nothing useful was said."""
    said = (text or "").strip()
    if said.isascii() and said.isdecimal():
        return min(float(said[:9]), LONGEST_S)
    try:
        moment = parsedate_to_datetime(said)
        return min(max(0.0, moment.timestamp() - now / 1000), LONGEST_S)
    except (ValueError, TypeError, OverflowError):
        return otherwise_s
