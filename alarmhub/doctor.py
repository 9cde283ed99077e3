"""`doctor`: is this installation well? One line for each thing looked at: ok, warn or fail.

`examined` looks (folder, database, push providers, the hub's answers and figures); everything else judges
what was seen and is pure, so that each line can be tested by itself. It refuses to change anything, and to
call well what it could not look at.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from alarmhub.clock import Clock, MonotonicClock
from alarmhub.core.drilling import Outcome, Result, State
from alarmhub.core.roster import Roster, roster_at, unstaffed
from alarmhub.core.site import Site
from alarmhub.findings import Finding, ago, fail, listed, ok, warn
from alarmhub.inbound.mapping import sample_mismatch
from alarmhub.installation import opened
from alarmhub.people import Account, Device, DrillRow
from alarmhub.ports import StoreUnavailable
from alarmhub.push.providers import checked, providers
from alarmhub.push.settings import WebPushSettings
from alarmhub.push.vapid import KEY_FILE
from alarmhub.settings import LOCAL_SECRET_FILE, Settings
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.condition import Condition
from alarmhub.store.devices import PostgresDevices
from alarmhub.store.drills import PostgresDrills
from alarmhub.store.embedded import ServerFault
from alarmhub.tasks import Crew
from alarmhub.web.oidc_provider import Provider

DISK_FAIL_MB: Final = 200
DISK_WARN_MB: Final = 2_000
UNSENT_WARN: Final = 50
MB: Final = 1_000_000
LATELY_MS: Final = 7 * 86_400_000
ANSWER_WITHIN_S: Final = 5.0


class Stored(Struct, frozen=True):
    """What the database says of itself, and how far its clock is from this machine's."""

    state: Condition
    clock_gap_ms: int


class Way(Struct, frozen=True):
    """What the hub says of one source's way in (`GET /api/v1/sources`)."""

    source: str
    up: bool = True
    connected: int = 0
    peer: str = ""
    last_signal_at: datetime | None = None
    last_answer: str = ""
    refused: int = 0
    last_refusal: str = ""
    last_refusal_at: datetime | None = None


class Ways(Struct, frozen=True):
    """All of them."""

    sources: tuple[Way, ...] = ()


class Hub(Struct, frozen=True):
    """What the hub answered. `ready`: "" or why not; `figures`: its metrics by (name, label value).

    `ways`: each source's way in, by source.
    """

    url: str
    answers: bool
    ready: str = ""
    figures: Mapping[tuple[str, str], float] = {}
    ways: Mapping[str, Way] = {}


def disk(free_bytes: int, folder: str) -> Finding:
    """Room for the database."""
    free_mb = free_bytes // MB
    say = fail if free_mb < DISK_FAIL_MB else warn if free_mb < DISK_WARN_MB else ok
    return say("disk", f"{free_mb / 1000:.1f} GB free in {folder}")


def database(stored: Stored) -> Iterator[Finding]:
    """Reachable, in step with this machine, nothing set aside."""
    yield ok("database", f"PostgreSQL {stored.state.server}")
    gap = abs(stored.clock_gap_ms)
    say = ok if gap <= 1_000 else warn
    yield say("clock", f"database and machine differ by {gap} ms")
    if stored.state.quarantined:
        yield warn("quarantine", f"{stored.state.quarantined} event(s) were set aside; see table quarantine")
    else:
        yield ok("quarantine", "no event was ever set aside")
    say = ok if stored.state.unsent < UNSENT_WARN else warn
    yield say("outbox", f"{stored.state.unsent} report(s) and page(s) wait to be sent")


def hub(seen: Hub, stored: Stored | None) -> Iterator[Finding]:
    """Somebody holds the lease, answers, and stores."""
    if stored is not None:
        if stored.state.lease_left_ms > 0:
            yield ok("lease", f"held by {stored.state.lease_owner}, epoch {stored.state.lease_epoch}")
        else:
            yield fail("lease", "no hub is active")
    if not seen.answers:
        yield fail("hub", f"nobody answers at {seen.url}")
        return
    yield fail("hub", f"{seen.url}: {seen.ready}") if seen.ready else ok("hub", f"{seen.url} is ready")
    storing = seen.figures.get(("alarmhub_storing", ""))
    if storing is None:
        yield warn("storing", "the hub gives no figures")
    else:
        yield ok("storing", "the hub stores") if storing else fail("storing", "the hub cannot store")


def site(loaded: Site | None, roster: Roster | None, now: int) -> Iterator[Finding]:
    """Loaded, its sample telegrams map, nobody rings in vain."""
    if loaded is None or roster is None:
        yield fail("site", "no site is loaded: alarmhub site load FILE")
        return
    yield ok("site", f"{loaded.name}, version {loaded.version}: {len(loaded.units)} units, "
                     f"{len(loaded.places)} places, {len(loaded.staff)} staff")  # fmt: skip
    wrong = [
        f'{source.id} "{sample.address} {sample.text}": {mismatch}'
        for source in loaded.sources.values()
        for sample in source.samples
        if (mismatch := sample_mismatch(sample, source, loaded)) is not None
    ]
    samples = sum(len(source.samples) for source in loaded.sources.values())
    yield fail("samples", listed(wrong)) if wrong else ok("samples", f"{samples} sample telegrams map")
    yield from _gaps(loaded, roster, now)


def _gaps(loaded: Site, roster: Roster, now: int) -> Iterator[Finding]:
    without = [unit.id for unit in loaded.units.values() if not unit.last_resort]
    yield (
        fail("last resort", f"none for {listed(without)}")
        if without
        else ok("last resort", "every unit has one")
    )
    empty = unstaffed(loaded, now)
    if empty:
        yield warn("duty", f"nobody on duty or covering now: {listed(list(empty))}")
    else:
        yield ok("duty", f"{len(roster.by_staff)} on duty, every unit staffed or covered now")
    closed = {unit for unit in loaded.units if not roster.by_unit.get(unit)}
    beds = Counter(
        place.unit
        for place in loaded.places.values()
        if place.point == "bed" and place.path not in roster.by_bed and place.unit not in closed
    )
    if beds:
        named = listed([f"{unit} ({count})" for unit, count in beds.items()])
        yield warn("care teams", f"beds without one now, their calls ring the whole unit: {named}")
    else:
        yield ok("care teams", "every bed has one now")
    roles = {
        f"{alarm_type.label}: {role.role}"
        for alarm_type in loaded.types.values()
        for role in alarm_type.team
        if role.role != "ward" and len(roster.by_role.get(role.role, ())) < role.count
    }
    yield (
        warn("teams", f"roles nobody fills now: {listed(sorted(roles))}")
        if roles
        else ok("teams", "all roles filled now")
    )


def sources(loaded: Site, stored: Stored, seen: Hub, lines: set[str], now: int) -> Iterator[Finding]:
    """Each source: can it speak, and did it lately? `lines`: sources with a link in the settings."""
    for source in loaded.sources.values():
        what = f"source {source.id}"
        newest = stored.state.newest.get(source.id)
        last = "no alarm lately" if newest is None else f"last alarm {ago((now - newest) // 1000)}"
        way = seen.ways.get(source.id)
        if source.id in lines or source.protocol != "http":
            yield _line(what, way, last, source.protocol, source.id in lines, now)
        elif not stored.state.secrets.get(("source", source.id)):
            yield warn(what, f"has no secret: alarmhub token source {source.id}; {last}")
        else:
            yield ok(what, f"may post; {last}{_said(way, now)}")
    refused = {
        label: n for (name, label), n in seen.figures.items() if name == "alarmhub_refusals_total" and n
    }
    if refused:
        words = ", ".join(f"{int(count)} × {label}" for label, count in sorted(refused.items()))
        yield warn("refused", f"since the hub's start: {words}")
    else:
        yield ok("refused", "nothing since the hub's start")


def strays(loaded: Site, links: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Links that fit no source of the site: what comes over them finds no rules. `links`: the sources named,
    by the table's name in the settings."""
    for table, names in links.items():
        for name in names if table not in _SENDERS else ():
            source = loaded.sources.get(name)
            if source is None:
                yield fail(f"link {name}", f"[[{table}]] is set for it, but the site has no such source")
            elif source.protocol != {"callback": "http"}.get(table, table):
                yield fail(
                    f"link {name}",
                    f"[[{table}]] is set for it, but the site says it speaks {source.protocol}",
                )


_SENDERS: Final = ("espa_sender", "smpp")
"""Links that only send, to people: they are no sources."""


def transmitters(names: Iterable[str], seen: Hub, now: int) -> Iterator[Finding]:
    """Each pager transmitter that is fed: it is no source, and its silence leaves pagers without pages."""
    for name in names:
        yield _line(f"transmitter {name}", seen.ways.get(name), "sends only", "espa_sender", True, now)


def text_links(names: Sequence[str], loaded: Site | None, seen: Hub, now: int) -> Iterator[Finding]:
    """Each link for text messages; and people with a number that no link sends to."""
    for name in names:
        yield _line(f"sms {name}", seen.ways.get(name), "text messages", "smpp", True, now)
    numbers = [] if loaded is None else [person.id for person in loaded.staff.values() if person.sms]
    if numbers and not names:
        yield warn("sms", f"{len(numbers)} people have a number, but no [[smpp]] link is set to text them")


def _line(what: str, way: Way | None, last: str, protocol: str, has_link: bool, now: int) -> Finding:
    if way is None:
        why = "the hub says nothing of its link" if has_link else f"no [[{protocol}]] link is set for it"
        return warn(what, f"{why}; {last}")
    connections = f"{way.connected} connected" + (f" ({way.peer})" if way.connected and way.peer else "")
    words = f"{connections}; {last}{_said(way, now)}"
    return ok(what, f"link up, {words}") if way.up else fail(what, f"link down, {words}")


def _said(way: Way | None, now: int) -> str:
    """What a source said and was told since the hub's start."""
    if way is None:
        return ""
    words = ""
    if way.last_signal_at is not None:
        words += f"; last signal {_since(way.last_signal_at, now)}"
    if way.last_answer:
        words += f"; last answer {way.last_answer}"
    if way.refused:
        words += f"; {way.refused} refused, the last"
        words += "" if way.last_refusal_at is None else f" {_since(way.last_refusal_at, now)}"
        words += f": {way.last_refusal}"
    return words


def _since(moment: datetime, now: int) -> str:
    return ago(max(0, now // 1000 - round(moment.timestamp())))


def phones(loaded: Site, roster: Roster, stored: Stored, seen: Hub) -> Iterator[Finding]:
    """Who can be reached."""
    reach = {label: int(n) for (name, label), n in seen.figures.items() if name == "alarmhub_phones"}
    live = reach.get("live", 0)
    words = ", ".join(f"{count} {label}" for label, count in sorted(reach.items())) or "none"
    on_duty = len(roster.by_staff)
    yield (warn if live < on_duty else ok)("phones", f"{words}; {on_duty} people on duty")
    without = [
        staff
        for staff in roster.by_staff
        if not stored.state.secrets.get(("phone", staff))
        and (p := loaded.staff.get(staff))
        and p.pager is None
    ]
    if without:
        yield warn("secrets", f"on duty without a phone's secret: {listed(sorted(without))}")
    else:
        yield ok("secrets", "everybody on duty has a phone's secret or a pager")


def enrolled(devices: Sequence[Device], seen: Mapping[str, int], now: int) -> Iterator[Finding]:
    """Phones that were handed out: how many, which lie in a drawer, and which nobody has seen for a week."""
    if not devices:
        yield ok("enrolled", "no phone is enrolled")
        return
    free = sum(not device.staff for device in devices)
    yield ok("enrolled", f"{len(devices)} phones, {free} of them carried by nobody now")
    silent = [
        device.label or device.id
        for device in devices
        if max(device.enrolled_at, seen.get(device.id, 0)) < now - LATELY_MS
    ]
    if silent:
        yield warn("unseen", f"for a week (lost? alarmhub device revoke ID): {listed(silent)}")


def push(faults: Mapping[str, Sequence[str]], is_key_to_come: bool) -> Iterator[Finding]:
    """Each push provider that is set: does it take us? `faults`: by its name; `is_key_to_come`: Web Push is
    set, and the hub has not made its key pair yet."""
    for name, wrong in faults.items():
        yield fail(f"push {name}", "; ".join(wrong)) if wrong else ok(f"push {name}", _PROOFS[name])
    if is_key_to_come:
        yield ok("push webpush", "its key pair is made when the hub starts")
    elif not faults:
        yield ok("push", "no provider is set: sleeping phones are not woken")


_PROOFS: Final = {
    "apns": "Apple knows the key, and refused only the address of nobody's phone",
    "fcm": "Firebase knows the account, and refused only the address of nobody's phone",
    "webpush": "the key pair and the contact can be used",
}


def drills(loaded: Site, roster: Roster, rows: Sequence[DrillRow], now: int) -> Iterator[Finding]:
    """What the last drill of each unit found; names are there for a day after it."""
    last = {row.unit: row for row in rows if row.unit in loaded.units}
    never = [unit for unit in loaded.units if unit not in last and roster.by_unit.get(unit)]
    good = 0
    for row in last.values():
        result = msgspec.convert(row.result, Result)
        if result.state is State.OK:
            good += 1
            continue
        red = [
            f"{_person(loaded, line.staff)} ({line.channel or line.why})"
            for line in result.lines
            if line.outcome is Outcome.FAILED
        ]
        when = f"{result.state} {ago(max(0, now - row.began_at) // 1000)}, {result.red} red"
        yield warn(f"drill {row.unit}", f"{when}{': ' if red else ''}{listed(red)}")
    words = f"{good} unit(s) with every phone reached in their last drill"
    yield warn("drills", f"{words}; never drilled: {listed(never)}") if never else ok("drills", words)


def _person(loaded: Site, staff: str) -> str:
    known = loaded.staff.get(staff)
    return known.name if known is not None else staff


def sign_in(settings: Settings, loaded: Site | None, accounts: Sequence[Account]) -> Iterator[Finding]:
    """Who can sign in, and whether a stranger on the network could take their cookies."""
    able = [a for a in accounts if a.disabled_at is None and loaded is not None and a.staff in loaded.staff]
    if able:
        unused = sum(account.must_change for account in able)
        yield ok("sign-in", f"{len(able)} accounts, {unused} of them with an unused one-time password")
    elif not settings.oidc.issuer:
        yield warn("sign-in", "nobody has an account: alarmhub account add STAFF_ID")
    people = [] if loaded is None else [loaded.staff[a.staff].grants for a in able]
    if able and not any("administrator" in grants for grants in people):
        yield warn("administrator", "nobody with an account is one: grants of [[staff]] in the site file")
    if settings.api.hosts and not settings.api.secure:
        yield warn("cookies", "[api] secure is not set: whoever listens on the network can take a sign-in")


def hospital_sign_in(issuer: str, fault: str) -> Finding:
    """The hospital's own sign-in: does it answer, as whom it should?"""
    what = "hospital sign-in"
    return fail(what, f"{issuer}: {fault}") if fault else ok(what, f"{issuer} answers, with keys")


async def examined(settings: Settings) -> list[Finding]:
    """Look at everything. Raises nothing foreseeable: what cannot be looked at is a finding."""
    folder = settings.database.folder()
    clock = MonotonicClock()
    found = [disk(shutil.disk_usage(_existing(folder)).free, str(folder)), _secret(folder)]
    found += await look_at_push(settings, clock)
    found += await _look_at_hospital(settings, clock)
    seen = await look_at_hub(settings.api.url())
    stored: Stored | None = None
    loaded: Site | None = None
    drilled: Sequence[DrillRow] = ()
    try:
        async with opened(settings) as store:
            loaded = await store.site()
            asked_at = clock.now()
            drilled = await PostgresDrills(store).last_drills()
            state = await store.condition(asked_at - LATELY_MS)
            handed_out = PostgresDevices(store)
            found += enrolled(await handed_out.devices(), await handed_out.seen(), asked_at)
            found += sign_in(settings, loaded, await PostgresAccounts(store).accounts())
            stored = Stored(state, state.database_now - (asked_at + clock.now()) // 2)
    except (ServerFault, StoreUnavailable, TimeoutError, OSError) as exc:
        found.append(fail("database", str(exc) or type(exc).__name__))
    if stored is not None:
        found += database(stored)
    found += hub(seen, stored)
    if stored is None:
        return found
    now = clock.now()
    roster = None if loaded is None else roster_at(loaded, now, {})
    found += site(loaded, roster, now)
    if loaded is not None and roster is not None:
        found += sources(loaded, stored, seen, _linked(settings), now)
        found += strays(
            loaded, {name: [link.source for link in links] for name, links in settings.by_protocol().items()}
        )
        found += phones(loaded, roster, stored, seen)
        found += drills(loaded, roster, drilled, now)
    found += transmitters([sender.source for sender in settings.espa_sender], seen, now)
    found += text_links([link.source for link in settings.smpp], loaded, seen, now)
    return found


async def _look_at_hospital(settings: Settings, clock: Clock) -> list[Finding]:
    if not settings.oidc.issuer:
        return []
    provider = Provider(settings.oidc, clock.now)
    try:
        return [hospital_sign_in(settings.oidc.issuer, await provider.checked())]
    finally:
        await provider.close()


def _linked(settings: Settings) -> set[str]:
    return {link.source for links in settings.by_protocol().values() for link in links}


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _secret(folder: Path) -> Finding:
    path = folder / LOCAL_SECRET_FILE
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        return warn("local secret", f"{path}: {exc.strerror}; the hub makes it when it starts")
    if mode & 0o077:
        return fail("local secret", f"{path} can be read by others; give it mode 0600")
    return ok("local secret", f"{path}, for its owner only")


async def look_at_push(settings: Settings, clock: Clock) -> list[Finding]:
    """Ask each provider that is set. Makes no key pair: that is the hub's."""
    folder = settings.database.folder()
    is_key_to_come = settings.webpush.on and not (folder / KEY_FILE).exists()
    webpush = WebPushSettings() if is_key_to_come else settings.webpush
    crew = Crew("doctor")
    made = providers(settings.apns, settings.fcm, webpush, data_dir=folder, clock=clock, crew=crew)
    try:
        return list(push(await checked(made), is_key_to_come))
    finally:
        await crew.close()


async def look_at_hub(url: str) -> Hub:
    """Ask the hub whether it is ready, for its figures and its sources (all open to this machine)."""
    within = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    try:
        async with aiohttp.ClientSession(timeout=within) as http:
            async with http.get(f"{url}/readyz") as answer:
                said = await answer.json(content_type=None)
                why = "" if answer.status == 200 else str(said.get("detail", answer.status))
            async with http.get(f"{url}/metrics") as answer:
                figures = figures_in(await answer.text()) if answer.status == 200 else {}
            async with http.get(f"{url}/api/v1/sources") as answer:
                ways = _ways(await answer.read()) if answer.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError):
        return Hub(url, False)
    return Hub(url, True, why, figures, ways)


def _ways(body: bytes) -> dict[str, Way]:
    return {way.source: way for way in msgspec.json.decode(body, type=Ways).sources}


def figures_in(text: str) -> dict[tuple[str, str], float]:
    """Samples of the Prometheus text by (name, label values joined by blanks); histograms are left out."""
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        if family.type in ("gauge", "counter")
        for sample in family.samples
    }
