"""Each line of the doctor: what it looks at, and when it is no longer content."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub import doctor
from alarmhub.clock import MonotonicClock
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.roster import roster_at
from alarmhub.core.site import Sample
from alarmhub.demo.ground import demo_site
from alarmhub.demo.story import instant
from alarmhub.doctor import Hub, Stored, Way
from alarmhub.findings import Finding, Level
from alarmhub.metrics import Metrics
from alarmhub.people import Account, Device, DrillRow
from alarmhub.push.settings import ApnsSettings, WebPushSettings
from alarmhub.push.vapid import VapidKey
from alarmhub.secret import Secret
from alarmhub.settings import ApiSettings, DatabaseSettings, Settings
from alarmhub.store.condition import Condition
from alarmhub.web.sign_in_settings import Oidc
from tests.support.oidc_house import oidc_house
from tests.support.theatre import stage
from tests.support.waiting import until

SITE = demo_site()
TUESDAY = instant("2026-11-24 10:00", SITE.zone)
ROSTER = roster_at(SITE, TUESDAY, {})
CONDITION = Condition("18.4", TUESDAY, "hub-1", 7, 1_200, 0, 0, {}, {})
STORED = Stored(CONDITION, 3)
GOOD = Hub("http://h", True, "", {("alarmhub_storing", ""): 1.0})


def line(found: Iterable[Finding], what: str) -> Finding:
    """The one about this."""
    [one] = [finding for finding in found if finding.what == what]
    return one


@pytest.mark.parametrize(
    ("free_mb", "level"),
    [(199, Level.FAIL), (200, Level.WARN), (1_999, Level.WARN), (2_000, Level.OK)],
)
def test_disk(free_mb: int, level: Level) -> None:
    """A full disk stops the storing of alarms."""
    assert doctor.disk(free_mb * doctor.MB, "/x").level is level


def test_a_database_in_step_and_with_nothing_set_aside_is_well() -> None:
    """Four lines, all ok."""
    assert {finding.level for finding in doctor.database(STORED)} == {Level.OK}


def test_clock_quarantine_and_outbox_are_warned_of() -> None:
    """Alarms ring, but somebody should look."""
    found = list(doctor.database(Stored(replace(CONDITION, quarantined=2, unsent=50), -1_001)))

    assert [line(found, what).level for what in ("clock", "quarantine", "outbox")] == [Level.WARN] * 3


def test_a_ready_hub_that_holds_the_lease_is_well() -> None:
    """Lease, hub, storing."""
    assert {finding.level for finding in doctor.hub(GOOD, STORED)} == {Level.OK}


@pytest.mark.parametrize(
    ("seen", "stored", "what"),
    [
        (Hub("http://h", False), STORED, "hub"),
        (replace(GOOD, ready="the database does not take writes"), STORED, "hub"),
        (replace(GOOD, figures={("alarmhub_storing", ""): 0.0}), STORED, "storing"),
        (GOOD, Stored(replace(CONDITION, lease_left_ms=-5), 0), "lease"),
    ],
)
def test_a_hub_that_does_not_serve_has_failed(seen: Hub, stored: Stored, what: str) -> None:
    """Nobody there, not ready, not storing, no lease."""
    assert line(doctor.hub(seen, stored), what).level is Level.FAIL


def test_without_a_site_nothing_rings() -> None:
    """It says what to do."""
    assert list(doctor.site(None, None, TUESDAY)) == [
        Finding(Level.FAIL, "site", "no site is loaded: alarmhub site load FILE")
    ]


def test_the_demo_site_is_well_but_for_its_marked_gap() -> None:
    """Bed 11/2 of 204 has no care team on purpose."""
    found = list(doctor.site(SITE, ROSTER, TUESDAY))

    assert {f.what for f in found if f.level is not Level.OK} == {"care teams"}
    assert "204 (1)" in line(found, "care teams").text


def test_a_sample_that_no_longer_maps_has_failed() -> None:
    """The hub would ring at the wrong place."""
    wrong = Sample("2010", "201 Sal 12 Plats 2", "fjallmark/201/1/1", Kind.PATIENT_CALL, Priority.LOW)
    plant = replace(SITE.sources["plant-201"], samples=(wrong,))
    broken = replace(SITE, sources={**SITE.sources, "plant-201": plant})

    found = line(doctor.site(broken, ROSTER, TUESDAY), "samples")

    assert found.level is Level.FAIL and "plant-201" in found.text


def test_gaps_of_the_roster_are_warned_of() -> None:
    """A ward nobody staffs or covers, a team role nobody has; a unit without last resort has failed."""
    nobody = replace(
        SITE, duties=(), covers=(), units={**SITE.units, "201": replace(SITE.units["201"], last_resort=())}
    )

    found = list(doctor.site(nobody, roster_at(nobody, TUESDAY, {}), TUESDAY))

    assert line(found, "duty").level is Level.WARN and "more" in line(found, "duty").text
    assert line(found, "teams").level is Level.WARN
    assert line(found, "last resort") == Finding(Level.FAIL, "last resort", "none for 201")


def ago_s(seconds: float) -> datetime:
    """So long before now."""
    return datetime.fromtimestamp(TUESDAY / 1000 - seconds, UTC)


def test_sources_by_link_secret_and_last_alarm() -> None:
    """A line that is up, one that is down, one that nobody listens for; an HTTP source without a secret."""
    stored = Stored(replace(CONDITION, newest={"plant-201": TUESDAY - 180_000}), 0)
    plant = Way(
        "plant-201", True, 1, "10.0.0.7:1024", ago_s(200), "ACK", 2, "wrong block check", ago_s(7_200)
    )
    seen = replace(GOOD, ways={"plant-201": plant})

    found = list(doctor.sources(SITE, stored, seen, {"plant-201"}, TUESDAY))

    assert line(found, "source plant-201") == Finding(
        Level.OK,
        "source plant-201",
        "link up, 1 connected (10.0.0.7:1024); last alarm 3 min ago; last signal 3 min ago; last answer ACK; "
        "2 refused, the last 2 h ago: wrong block check",
    )
    assert line(found, "source plant-301").text == "no [[espa]] link is set for it; no alarm lately"
    assert line(found, "source http-plant").text.startswith("has no secret")
    down = replace(seen, ways={"plant-201": Way("plant-201", False)})
    fallen = line(doctor.sources(SITE, stored, down, {"plant-201"}, TUESDAY), "source plant-201")
    assert fallen == Finding(Level.FAIL, "source plant-201", "link down, 0 connected; last alarm 3 min ago")
    held = Stored(replace(CONDITION, secrets={("source", "http-plant"): 1}), 0)
    way = Way("http-plant", last_signal_at=ago_s(5), last_answer="201")
    posts = line(
        doctor.sources(SITE, held, replace(seen, ways={"http-plant": way}), set(), TUESDAY),
        "source http-plant",
    )
    assert posts == Finding(
        Level.OK,
        "source http-plant",
        "may post; no alarm lately; last signal 5 s ago; last answer 201",
    )


def test_a_source_without_a_link_is_a_warning_that_names_its_table() -> None:
    """Whatever it would speak: nothing is down, nothing has failed, and the engineer reads what to write."""
    found = list(doctor.sources(SITE, STORED, GOOD, set(), TUESDAY))

    silent = [source for source in SITE.sources.values() if source.protocol != "http"]
    assert len({source.protocol for source in silent}) == 9
    for source in silent:
        one = line(found, f"source {source.id}")
        assert one.level is Level.WARN
        assert one.text == f"no [[{source.protocol}]] link is set for it; no alarm lately"


def test_a_link_that_fits_no_source_has_failed() -> None:
    """A misspelt name, and a table of another protocol; a callback belongs to a source that posts, and a
    transmitter is none of the site's sources."""
    right = {"espa": ["plant-201"], "callback": ["http-plant"], "espa_sender": ["old"], "smpp": ["operator"]}
    assert list(doctor.strays(SITE, right)) == []
    assert list(doctor.strays(SITE, {"espa": ["plant-299"], "snpp": ["plant-201"]})) == [
        Finding(Level.FAIL, "link plant-299", "[[espa]] is set for it, but the site has no such source"),
        Finding(Level.FAIL, "link plant-201", "[[snpp]] is set for it, but the site says it speaks espa"),
    ]


def test_a_transmitter_that_is_fed_is_shown_beside_the_sources() -> None:
    """Up with its last answer, and down; one the hub knows nothing of is a warning."""
    way = Way("old", True, 1, "/dev/ttyUSB1", None, "ACK")
    for known, level, text in (
        ({"old": way}, Level.OK, "link up, 1 connected (/dev/ttyUSB1); sends only; last answer ACK"),
        ({"old": replace(way, up=False)}, Level.FAIL, "link down, 1 connected"),
        ({}, Level.WARN, "the hub says nothing of its link"),
    ):
        found = list(doctor.transmitters(["old"], replace(GOOD, ways=known), TUESDAY))
        one = line(found, "transmitter old")
        assert one.level is level
        assert one.text.startswith(text)


def test_a_link_for_text_messages_says_why_it_is_down() -> None:
    """Wrong credentials are found here, before an alarm needs them; and numbers that nothing sends to."""
    way = Way("operator", True, 1, "10.1.2.3:2775", None, "taken")
    why = "bind refused: wrong password (0x0E)"
    refused = replace(way, up=False, connected=0, refused=1, last_refusal=why)
    for known, level, text in (
        ({"operator": way}, Level.OK, "link up, 1 connected (10.1.2.3:2775); text messages; last answer"),
        ({"operator": refused}, Level.FAIL, "link down, 0 connected; text messages"),
        ({}, Level.WARN, "the hub says nothing of its link"),
    ):
        (one,) = doctor.text_links(["operator"], SITE, replace(GOOD, ways=known), TUESDAY)
        assert (one.what, one.level) == ("sms operator", level) and one.text.startswith(text)
        assert ("wrong password" in one.text) is (known.get("operator") is refused)
    (idle,) = doctor.text_links([], SITE, GOOD, TUESDAY)
    assert (idle.level, idle.text) == (
        Level.WARN,
        f"{sum(p.sms is not None for p in SITE.staff.values())} people have a number, "
        "but no [[smpp]] link is set to text them",
    )
    nobody = replace(SITE, staff={id: replace(p, sms=None) for id, p in SITE.staff.items()})
    assert list(doctor.text_links([], nobody, GOOD, TUESDAY)) == []


def test_what_was_turned_away_is_counted() -> None:
    """By door and reason."""
    seen = replace(GOOD, figures={("alarmhub_refusals_total", "espa bcc"): 4.0})

    found = line(doctor.sources(SITE, STORED, seen, set(), TUESDAY), "refused")

    assert found == Finding(Level.WARN, "refused", "since the hub's start: 4 × espa bcc")


def test_phones_fewer_than_people_on_duty_are_warned_of() -> None:
    """And people on duty who could not sign in."""
    few = replace(GOOD, figures={("alarmhub_phones", "live"): 3.0, ("alarmhub_phones", "recent"): 1.0})
    found = list(doctor.phones(SITE, ROSTER, STORED, few))

    assert line(found, "phones").level is Level.WARN
    assert "3 live, 1 recent" in line(found, "phones").text
    assert line(found, "secrets").level is Level.WARN
    held = {("phone", staff): 1 for staff in ROSTER.by_staff}
    well = list(
        doctor.phones(
            SITE,
            ROSTER,
            Stored(replace(CONDITION, secrets=held), 0),
            replace(GOOD, figures={("alarmhub_phones", "live"): float(len(ROSTER.by_staff))}),
        )
    )
    assert {finding.level for finding in well} == {Level.OK}


def test_figures_are_read_from_the_hubs_own_text() -> None:
    """Gauges and counters with their labels."""
    metrics = Metrics()
    metrics.storing.set(1)
    metrics.source_up.labels("plant-201").set(1)
    metrics.refusals.labels("espa", "bcc").inc(2)

    figures = doctor.figures_in(metrics.render().decode())

    assert figures["alarmhub_storing", ""] == 1
    assert figures["alarmhub_source_up", "plant-201"] == 1
    assert figures["alarmhub_refusals_total", "espa bcc"] == 2


async def test_a_hub_at_work_is_found_well(database_dsn: str) -> None:
    """Everything is looked at, from the secret's mode to the phones; nothing has failed."""
    async with stage(database_dsn) as ready:
        api = replace(ready.settings.api, port=ready.app.api.port)
        await ready.calls(ready.medicine, "2010", "201 Sal 12 Plats 2")

        async def counted() -> bool:
            return ("alarmhub_phones", "live") in (await doctor.look_at_hub(api.url())).figures

        await until(counted, "the phones are counted")
        found = await doctor.examined(replace(ready.settings, api=api))

    assert [finding for finding in found if finding.level is Level.FAIL] == []
    assert line(found, "hub").level is Level.OK
    assert line(found, "lease").level is Level.OK
    assert line(found, "phones").text.startswith("127 live")


async def test_without_a_database_the_doctor_says_so_and_ends(tmp_path: Path) -> None:
    """No exception, a failed line."""
    settings = Settings(
        database=DatabaseSettings(dsn=Secret("postgresql://x@127.0.0.1:1/x"), data_dir=str(tmp_path / "none"))
    )
    found = await doctor.examined(replace(settings, api=replace(settings.api, port=9)))

    assert line(found, "database").level is Level.FAIL
    assert line(found, "hub").level is Level.FAIL
    assert line(found, "local secret").level is Level.WARN


def test_a_secret_that_others_can_read_has_failed(tmp_path: Path) -> None:
    """Whoever has it can press."""
    secret = tmp_path / "press.secret"
    secret.write_text("x")
    secret.chmod(0o644)
    assert doctor._secret(tmp_path).level is Level.FAIL
    secret.chmod(0o600)
    assert doctor._secret(tmp_path).level is Level.OK


def test_a_provider_that_takes_us_is_well_and_one_that_does_not_is_not() -> None:
    """With what it said."""
    found = list(doctor.push({"apns": [], "fcm": ["403 PERMISSION_DENIED: x"]}, False))

    assert line(found, "push apns").level is Level.OK
    assert line(found, "push fcm") == Finding(Level.FAIL, "push fcm", "403 PERMISSION_DENIED: x")


def test_without_a_provider_sleeping_phones_are_not_woken() -> None:
    """Which is no fault, but worth a line; a key pair that is still to come is none either."""
    assert line(doctor.push({}, False), "push").level is Level.OK
    assert [finding.what for finding in doctor.push({}, True)] == ["push webpush"]


async def test_each_provider_that_is_set_is_asked_and_no_key_pair_is_made(tmp_path: Path) -> None:
    """The pair is the hub's to make."""
    settings = Settings(
        database=DatabaseSettings(data_dir=str(tmp_path)),
        apns=ApnsSettings(key=Secret("no key"), key_id="K", team_id="T", topic="t"),
        webpush=WebPushSettings(contact="mailto:it@hospital.example"),
    )
    found = await doctor.look_at_push(settings, MonotonicClock())

    assert line(found, "push apns").text.startswith("key: expected a private key")
    assert line(found, "push webpush").level is Level.OK and not os.listdir(tmp_path)
    VapidKey(tmp_path)
    found = await doctor.look_at_push(settings, MonotonicClock())
    assert line(found, "push webpush").text == "the key pair and the contact can be used"


def phone(id: str, staff: str = "anna", enrolled_at: int = 0) -> Device:
    """An enrolled phone."""
    return Device(
        id=id, digest=id.encode(), label=id.upper(), enrolled_by="lena", enrolled_at=enrolled_at, staff=staff
    )


def test_enrolled_phones_are_counted_and_the_lost_ones_named() -> None:
    """Seen a week ago to the millisecond is still seen; one never seen counts from its enrolment."""
    week = TUESDAY - doctor.LATELY_MS
    assert line(doctor.enrolled([], {}, TUESDAY), "enrolled").text == "no phone is enrolled"
    devices = [phone("a"), phone("b"), phone("c", ""), phone("d", "bo", TUESDAY)]
    found = list(doctor.enrolled(devices, {"a": week, "b": week - 1}, TUESDAY))
    assert line(found, "enrolled").text == "4 phones, 1 of them carried by nobody now"
    assert line(found, "unseen").level is Level.WARN
    assert line(found, "unseen").text.endswith(": B, C")
    assert len(list(doctor.enrolled(devices[:1], {"a": week}, TUESDAY))) == 1


def drill(unit: str, **result: object) -> DrillRow:
    """The last one of a unit, an hour ago."""
    return DrillRow(
        id=unit, unit=unit, cause="asked", began_at=TUESDAY - 3_600_000, ended_at=TUESDAY, result=result
    )


def test_a_red_drill_names_unit_people_and_ways_while_they_are_known() -> None:
    """And units that were never drilled; one that is no more is not named."""
    staff = next(iter(SITE.staff.values()))
    red = {"staff": staff.id, "device": "d", "channel": "webpush", "outcome": "failed", "why": "no_receipt"}
    green = {"staff": staff.id, "device": "d", "channel": "socket", "outcome": "rang"}
    rows = [
        drill("201", state="failed", good=1, red=1, lines=[green, red]),
        drill("202", state="failed", red=3),
        drill("203", state="interrupted", open=2),
        drill("204", state="ok", good=4),
        drill("closed-for-good", state="failed", red=1),
    ]
    found = list(doctor.drills(SITE, ROSTER, rows, TUESDAY))
    assert line(found, "drill 201").text == f"failed 1 h ago, 1 red: {staff.name} (webpush)"
    assert line(found, "drill 202").text == "failed 1 h ago, 3 red"
    assert line(found, "drill 203").text == "interrupted 1 h ago, 0 red"
    assert {finding.what for finding in found} == {"drill 201", "drill 202", "drill 203", "drills"}
    assert {finding.level for finding in found} == {Level.WARN}
    assert line(found, "drills").text.startswith(
        "1 unit(s) with every phone reached in their last drill; never"
    )


def test_green_drills_everywhere_are_well() -> None:
    """One line."""
    rows = [drill(unit, state="ok", good=1) for unit in SITE.units]
    (finding,) = doctor.drills(SITE, ROSTER, rows, TUESDAY)
    assert finding.level is Level.OK


def account(staff: str, **fields: Any) -> Account:
    """Somebody who can sign in."""
    return Account(staff=staff, login=staff, handle=staff.encode(), created_at=0, **fields)


def test_an_installation_into_which_nobody_can_sign_in_is_told_how() -> None:
    """Disabled ones and people who have left do not count; the hospital's sign-in does."""
    gone = [account("nobody"), account("anna.berglund", disabled_at=1)]
    hospital = Settings(oidc=Oidc(issuer="https://login.example"))

    assert "account add" in line(doctor.sign_in(Settings(), SITE, gone), "sign-in").text
    assert list(doctor.sign_in(hospital, SITE, gone)) == []


def test_accounts_are_counted_and_an_administrator_is_missed() -> None:
    """By the site's grants."""
    anna = [account("anna.berglund", must_change=True)]
    found = list(doctor.sign_in(Settings(), SITE, anna))
    both = list(doctor.sign_in(Settings(), SITE, [*anna, account("tilda.nyberg")]))

    assert line(found, "sign-in").text == "1 accounts, 1 of them with an unused one-time password"
    assert line(found, "administrator").level is Level.WARN
    assert [finding.level for finding in both] == [Level.OK]


@pytest.mark.parametrize(("secure", "warned"), [(False, 1), (True, 0)])
def test_cookies_over_a_network_want_tls(secure: bool, warned: int) -> None:
    """A hub that has a name is reached over one."""
    settings = Settings(api=ApiSettings(hosts=("alarm.example",), secure=secure))
    found = doctor.sign_in(settings, SITE, [account("tilda.nyberg")])
    assert sum(finding.what == "cookies" for finding in found) == warned


async def test_the_hospitals_sign_in_is_asked_who_it_is(tmp_path: Path) -> None:
    """Well; under another name; away."""
    async with oidc_house() as house:
        oidc = house.settings("https://alarm.example")
        well = await doctor._look_at_hospital(Settings(oidc=oidc), MonotonicClock())
        other = replace(oidc, issuer=house.url + "/")
        wrong = await doctor._look_at_hospital(Settings(oidc=other), MonotonicClock())
    away = await doctor._look_at_hospital(Settings(oidc=oidc), MonotonicClock())

    assert [finding.level for finding in (*well, *wrong, *away)] == [Level.OK, Level.FAIL, Level.FAIL]
    assert "speaks for the issuer" in wrong[0].text
    assert await doctor._look_at_hospital(Settings(), MonotonicClock()) == []
