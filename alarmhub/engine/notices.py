"""What the hub itself has to say, as signals of its own source (ward.md, "When the hub itself is the news").

Plain words for staff, no jargon. It refuses to send anything: it only makes the signals.
"""

from __future__ import annotations

from collections.abc import Mapping

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.handsets import Cause, Said
from alarmhub.core.handsets import text as handset_text
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.policies import QUIET_TYPES
from alarmhub.core.roster import Shift
from alarmhub.core.roster import unstaffed as unstaffed_units
from alarmhub.core.site import Site

HUB = "hub"


def _text(site: Site, swedish: str, english: str) -> str:
    return swedish if site.language == "sv" else english


def _start(
    key: str, type_id: str, text: str, unit: str, targets: tuple[str, ...], priority: Priority
) -> Signal:
    return Signal(
        source=HUB,
        event=SignalEvent.ONCE,
        key=key,
        ref=key,
        kind=Kind.TECHNICAL,
        type=type_id,
        text=text,
        source_text=text,
        unit=unit,
        targets=targets,
        priority=priority,
    )


def _home_unit(site: Site) -> str:
    """Where hub-wide news belongs: a unit that is no ward, if there is one."""
    for unit in site.units.values():
        if not unit.clinical:
            return unit.id
    return next(iter(site.units), "")


def link(site: Site, source_id: str, *, up: bool) -> list[Signal]:
    """A source fell silent: to the duty engineer, and once in plain words to every affected unit."""
    source = site.sources.get(source_id)
    if source is None:
        return []
    units = source.units or (source.fallback_unit,)
    keys = {f"link:{source_id}": _home_unit(site)} | {f"link:{source_id}:{u}": u for u in units}
    if up:
        return [
            Signal(source=HUB, event=SignalEvent.END, key=key, ref=key, kind=Kind.TECHNICAL, unit=unit)
            for key, unit in keys.items()
        ]
    signals: list[Signal] = []
    for key, unit_id in keys.items():
        unit = site.units.get(unit_id)
        name = unit.name if unit is not None else unit_id
        if key == f"link:{source_id}":
            text = _text(site, f"Ingen kontakt med {source.name}", f"No contact with {source.name}")
            signals.append(_start(key, "source_lost", text, unit_id, (), Priority.MEDIUM))
            continue
        text = _text(
            site,
            f"Kallelser från {name} når INTE telefonerna: lyssna i korridoren, starta reservrutinen",
            f"Calls from {name} do NOT reach the phones: listen in the corridor, start the reserve routine",
        )
        signals.append(_start(key, "calls_not_arriving", text, unit_id, ("unit",), Priority.HIGH))
    return signals


def nonsense(site: Site, source_id: str) -> Signal:
    """A source that is who it should be sends what cannot be read: its calls may be lost on the way."""
    source = site.sources.get(source_id)
    name = source.name if source is not None else source_id
    text = _text(
        site, f"{name} sänder telegram som inte går att läsa", f"{name} sends telegrams that cannot be read"
    )
    return _start(f"nonsense:{source_id}", "unreadable_source", text, _home_unit(site), (), Priority.MEDIUM)


def trouble(site: Site, source_id: str, what: str, swedish: str, english: str) -> Signal:
    """Something behind a source needs an engineer (a flat battery, a device that went silent)."""
    text = _text(site, swedish, english)
    key = f"trouble:{source_id}:{what}"[:200]
    return _start(key, "source_trouble", text, _home_unit(site), (), Priority.LOW)


def trouble_over(site: Site, source_id: str, what: str) -> Signal:
    """It needs none any more."""
    key = f"trouble:{source_id}:{what}"[:200]
    return Signal(
        source=HUB, event=SignalEvent.END, key=key, ref=key, kind=Kind.TECHNICAL, unit=_home_unit(site)
    )


def after_maintenance(site: Site, source_id: str, unit: str, at: int) -> Signal:
    """The silent drill that ends a maintenance window: do alarms reach this unit's phones?"""
    source = site.sources.get(source_id)
    name = source.name if source is not None else source_id
    text = _text(site, f"Prov efter underhåll av {name}", f"Drill after maintenance of {name}")
    return _drill(f"drill:{source_id}:{unit}:{at}"[:200], source_id, text, unit, "unit")


def drill(site: Site, unit_id: str, key: str, *, heard: bool = False) -> Signal:
    """A drill of every phone on duty in a unit; a heard one is shown and spoken as PROV."""
    unit = site.units.get(unit_id)
    name = unit.name if unit is not None else unit_id
    text = _text(site, f"Prov av telefonerna på {name}", f"Drill of the phones of {name}")
    return _drill(key, key, text, unit_id, f"unit:{unit_id}", heard=heard)


def _drill(key: str, ref: str, text: str, unit: str, target: str, *, heard: bool = False) -> Signal:
    return Signal(
        source=HUB, event=SignalEvent.ONCE, key=key, ref=ref, kind=Kind.DRILL, text=text, source_text=text,
        unit=unit, targets=(target,), heard=heard,
    )  # fmt: skip


def drill_over(key: str, unit_id: str) -> Signal:
    """It has found what there was to find."""
    return Signal(source=HUB, event=SignalEvent.END, key=key, ref=key, kind=Kind.DRILL, unit=unit_id)


_HEARD = "heard:"


def is_trial_ring(alarm: Alarm, staff: str) -> bool:
    """Whether this rings to prove that person's phone."""
    return alarm.source == HUB and alarm.drill and alarm.key.startswith(f"{_HEARD}{staff}:")


def trial_ring(site: Site, staff: str, unit: str, at: int) -> Signal:
    """Rings one person's phone as a trial that is heard, the whole way an alarm goes."""
    text = _text(site, "Prov: hör du telefonen?", "Drill: do you hear the phone?")
    key = f"{_HEARD}{staff}:{at}"[:200]
    return Signal(
        source=HUB, event=SignalEvent.ONCE, key=key, ref=key, kind=Kind.DRILL, text=text, source_text=text,
        unit=unit, targets=(f"staff:{staff}",), heard=True,
    )  # fmt: skip


def unstaffed(
    site: Site, now: int, ahead: int, warned: set[str], shifts: Mapping[str, Shift]
) -> tuple[list[Signal], set[str]]:
    """Units that have somebody now and will have nobody then; each is warned of once per gap."""
    then = set(unstaffed_units(site, ahead, shifts))
    already = set(unstaffed_units(site, now, shifts))
    coming = {u for u in then - already if site.units[u].clinical}
    signals = []
    for unit_id in sorted(coming - warned):
        name = site.units[unit_id].name
        text = _text(
            site, f"{name} saknar bemanning om 30 minuter", f"{name} will have nobody on duty in 30 minutes"
        )
        key = f"unstaffed:{unit_id}:{ahead // 3_600_000}"
        signals.append(
            _start(key, "unit_unstaffed", text, unit_id, ("unit", "shift_leader"), Priority.MEDIUM)
        )
    return signals, coming


_STANDS_IN = "substitute:"


def stands_in_text(site: Site, staff: str, substitute: str, unit: str) -> str:
    """Who answers for whom, by name."""
    names = [site.staff[id].name if id in site.staff else id for id in (substitute, staff)]
    where = site.units[unit].name if unit in site.units else unit
    return _text(
        site,
        f"{names[0]} svarar för {where} medan {names[1]} är borta",
        f"{names[0]} answers for {where} while {names[1]} is away",
    )


def stands_in(site: Site, staff: str, substitute: str, unit: str) -> Signal:
    """Asks a colleague's phone: from now on you answer for the unit, the last one there is on a break. Who is
    asked taps it away; who does not is followed up like any request."""
    text = stands_in_text(site, staff, substitute, unit)
    key = f"{_STANDS_IN}{staff}"
    return Signal(
        source=HUB, event=SignalEvent.ONCE, key=key, ref=key, kind=Kind.REQUEST, type="stands_in", text=text,
        source_text=text, unit=unit, targets=(f"staff:{substitute}",), priority=Priority.MEDIUM,
    )  # fmt: skip


def stands_in_no_more(site: Site, staff: str) -> Signal:
    """The colleague is back."""
    key = f"{_STANDS_IN}{staff}"
    return Signal(
        source=HUB, event=SignalEvent.END, key=key, ref=key, kind=Kind.REQUEST, unit=_home_unit(site)
    )


def stands_in_for(alarm: Alarm) -> str:
    """The colleague this asks somebody to stand in for; "" = it asks another thing."""
    asks = alarm.source == HUB and alarm.key.startswith(_STANDS_IN)
    return alarm.key.removeprefix(_STANDS_IN) if asks else ""


def is_over(alarm: Alarm) -> bool:
    """Whether this is no more than a word to somebody who has now taken it in."""
    return bool(stands_in_for(alarm)) and bool(alarm.acceptances)


def poison(site: Site, what: str) -> Signal:
    """An event could not be decided or stored and was set aside."""
    text = _text(
        site,
        "En händelse kunde inte behandlas och lades åt sidan",
        "An event could not be handled, it was set aside",
    )
    return _start(f"poison:{what}"[:200], "event_set_aside", text, _home_unit(site), (), Priority.MEDIUM)


def clock_jumped(site: Site, gap_ms: int) -> Signal:
    """Hub and database disagree about the time by more than five seconds."""
    text = _text(site, f"Klockan hoppade {gap_ms / 1000:.0f} s", f"The clock jumped by {gap_ms / 1000:.0f} s")
    return _start("clock", "clock_jumped", text, _home_unit(site), (), Priority.MEDIUM)


def phones_lost(site: Site, unit_id: str, count: int) -> Signal:
    """Half of a unit's phones vanished together: one alarm to cover and duty engineer."""
    unit = site.units.get(unit_id)
    name = unit.name if unit is not None else unit_id
    text = _text(
        site,
        f"{count} telefoner på {name} tappade kontakten samtidigt",
        f"{count} phones of {name} lost contact at once",
    )
    targets = ("cover", "role:duty_engineer")
    return _start(f"phones:{unit_id}", "phones_lost", text, unit_id, targets, Priority.HIGH)


def phone(
    site: Site, unit_id: str, key: str, cause: Cause, said: Said, label: str, also: tuple[str, ...] = ()
) -> Signal:
    """Something is wrong with a phone of the unit: to its shift leader, and `also` these targets. `label`:
    the phone's own, never whose it is."""
    unit = site.units.get(unit_id)
    name = unit.name if unit is not None else unit_id
    words = f"{name}: {handset_text(cause, said, site.language)}" + (f" ({label})" if label else "")
    return Signal(
        source=HUB,
        event=SignalEvent.ONCE,
        key=key,
        ref=key,
        kind=Kind.REQUEST,
        type=f"{QUIET_TYPES}{cause}",
        text=words[:160],
        source_text=words[:160],
        unit=unit_id,
        targets=("shift_leader", *also),
        priority=Priority.LOW,
    )


def phone_over(key: str, unit_id: str) -> Signal:
    """It is well again."""
    return Signal(source=HUB, event=SignalEvent.END, key=key, ref=key, kind=Kind.REQUEST, unit=unit_id)


def empty_site() -> Site:
    """What serves before any site was loaded: it knows nothing and refuses nobody."""
    return Site(
        version=0,
        site="",
        name="",
        zone="UTC",
        language="sv",
        holidays=frozenset(),
        floor_words=(),
        units={},
        places={},
        roles={},
        staff={},
        duties=(),
        covers=(),
        types={},
        policies={},
        newest={},
        policy_rules=(),
        sources={},
    )
