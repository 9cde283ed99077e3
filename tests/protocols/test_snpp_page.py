"""SNPP's values: what a page is before anything is said, and what an installation starts from."""

from __future__ import annotations

from protocols.snpp_page import Dialect, LineRefused, Page, Refusal, ReplyType


def test_a_page_says_nothing_that_was_not_said() -> None:
    """One-way, not urgent, not for later, waiting for no reply."""
    page = Page(("1042",), "hej")
    assert not (page.two_way or page.alert or page.hold or page.ack_read or page.no_queue or page.choices)
    assert page.level is None and page.reply_type is None and page.expires_h is None


def test_reply_types_are_found_by_their_words() -> None:
    """As RTYPe says them."""
    assert {kind.name for kind in ReplyType} == {kind.value for kind in ReplyType}


def test_an_installation_starts_open_and_bounded() -> None:
    """No login until one is set; every limit is one."""
    dialect = Dialect()
    assert not dialect.login and dialect.hold == "refuse"
    limits = (dialect.max_pagers, dialect.max_line_bytes, dialect.max_text_bytes, dialect.max_errors)
    assert all(limit > 0 for limit in (*limits, dialect.max_choices, dialect.idle_ms))


def test_refusals_are_told_apart() -> None:
    """Each in plain words of its own."""
    assert len({refusal.value for refusal in Refusal}) == len(Refusal)
    assert LineRefused(Refusal.LOGIN, 550) != LineRefused(Refusal.TOO_LONG, 550)
