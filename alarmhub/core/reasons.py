"""Named reasons: why a decision was taken, with the facts it used (design.md promise 7).

A reason is data (`code`, `facts`), never prose: the words for people are rendered where they are shown
(`plain`). The vocabulary is closed; a test fails on a code without Swedish and English words.
"""

from __future__ import annotations

from msgspec import Struct


class Reason(Struct, frozen=True, gc=False, omit_defaults=True):
    """One named cause. `facts` values are strings, integers, booleans or lists of ids."""

    code: str
    facts: dict[str, str | int | bool | list[str] | None] = {}
