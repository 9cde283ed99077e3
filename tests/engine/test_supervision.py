"""Supervision hung beside an engine: nobody's first word is missed, and nothing is on the alarm path."""

from __future__ import annotations

from tests.support.supervised import Supervised
from tests.support.virtual import in_virtual_time


@in_virtual_time
async def test_it_hears_of_contact_pushes_receipts_and_commits() -> None:
    """Each over the engine's own hooks, and a phone's last word over its socket is shown as it is."""
    async with Supervised() as shift:
        shift.engine.pushable("anna", ("anna-phone", "anna-tablet"))
        await shift.later(1)
        phones = {h.device: h for h in shift.handsets.phones("201") if h.staff == "anna"}
        assert (phones["anna-phone"].reach, phones["anna-tablet"].reach) == ("live", "pushable")
        assert phones["anna-phone"].heard_at == shift.clock.now() - 1500
        shift.transports = {"anna-tablet": ("webpush",)}
        row = await shift.drills.drill("201")
        heard_at = shift.clock.now()
        shift.confirms("anna", shift.drill_alarm(), "webpush", "anna-tablet")
        await shift.drills.over(row.id)
        assert shift.lines()["anna", "webpush"].outcome == "rang"
        tablet = next(h for h in shift.handsets.phones("201") if h.device == "anna-tablet")
        assert tablet.heard_at == heard_at


@in_virtual_time
async def test_a_site_published_while_it_runs_is_looked_at() -> None:
    """By the engine's word that it is in force."""
    async with Supervised() as shift:
        heard = shift.engine.on_site.copy()
        assert shift.drills.site_changed in heard
        assert shift.drills.receipt in shift.engine.on_receipt
