"""What every store promises (`ports.Store`), asked of PostgreSQL and of its twin in memory alike."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from alarmhub.core.alarm import Phase
from alarmhub.core.site import Policy
from alarmhub.ports import (
    AnsweredRow,
    Batch,
    FactRow,
    Fenced,
    QuarantineRow,
    StoreUnavailable,
    Token,
    Unstorable,
)
from tests.support.stored import (
    HOUR,
    NOW,
    alarm,
    alarm_row,
    batch,
    effect_row,
    event_row,
    fresh,
    policy,
    raised,
    site,
)
from tests.support.waiting import until

from .conftest import OpenStore

LIST: dict[str, Any] = {"phase": None, "units": None, "source": None, "limit": 100, "after": None}


async def test_one_process_holds_the_lease(open_store: OpenStore) -> None:
    """The second waits; the holder itself may take it again, under the next epoch."""
    first, second = await open_store(), await open_store()

    lease = await first.acquire("first", 60_000)
    assert lease.epoch == 1
    assert await second.acquire("second", 60_000) is None
    assert (await first.acquire("first", 60_000)).epoch == 2


async def test_an_expired_lease_is_taken_over_and_fences_the_sleeper(open_store: OpenStore) -> None:
    """Who slept beyond its lease can neither renew nor write nor send anything any more."""
    first, second = await open_store(), await open_store()
    old = (await first.acquire("first", 30)).epoch
    await first.write(old, raised(alarm("before")))

    new = await until(lambda: second.acquire("second", 60_000), "the takeover")

    assert new.epoch == old + 1
    with pytest.raises(Fenced):
        await first.renew(old, 60_000)
    with pytest.raises(Fenced):
        await first.write(old, raised(alarm("late")))
    with pytest.raises(Fenced):
        await first.claim(old, NOW, 1000, 10)
    with pytest.raises(Fenced):
        await first.settle(old, ["x"], [])
    with pytest.raises(Fenced):
        await first.trim(old, NOW)
    assert [a.id for a in (await second.load(NOW)).alarms] == ["before"]


async def test_a_renewed_lease_lasts(open_store: OpenStore) -> None:
    """Renewing extends it beyond its first term."""
    first, second = await open_store(), await open_store()
    lease = await first.acquire("first", 300)

    renewed = await first.renew(lease.epoch, 60_000)

    assert renewed.epoch == lease.epoch
    assert renewed.database_now >= lease.database_now
    await until(_later(first, lease.epoch, lease.database_now + 300), "the end of the first term")
    assert await second.acquire("second", 60_000) is None


def _later(store: Any, epoch: int, moment: int) -> Any:
    async def is_later() -> bool:
        return (await store.renew(epoch, 60_000)).database_now > moment

    return is_later


async def test_a_released_lease_is_free_at_once(open_store: OpenStore) -> None:
    """A graceful stop lets the standby in without waiting; releasing an old epoch changes nothing."""
    first, second = await open_store(), await open_store()
    lease = await first.acquire("first", 60_000)

    await first.release(lease.epoch - 1)
    assert await second.acquire("second", 60_000) is None
    await first.release(lease.epoch)
    assert (await second.acquire("second", 60_000)).epoch == lease.epoch + 1


async def test_nothing_is_written_before_the_lease_is_held(store: Any) -> None:
    """A store that has not acquired (again) does not write."""
    with pytest.raises(StoreUnavailable):
        await store.write(1, raised(alarm()))


async def test_a_batch_is_read_back_whole(store: Any, epoch: int) -> None:
    """Each part of it, as it was given."""
    call = alarm("a", text="Sal 12 plats 2: törstig ☕", flags=("presence",))
    effect = effect_row(alarm="a")
    given = batch(
        alarms=[alarm_row(call)],
        events=[event_row("a", id="e1", body=b'{"n":1}', reasons=b'["x"]')],
        outbox=[effect],
        answered=[AnsweredRow(scope="source:plant", id="1", at=NOW, answer=b"\x00\xff")],
        facts=[FactRow(scope="device", key="d1", at=NOW, body=b'{"seen":1}')],
        rosters=[("r0", b"{}")],
        quarantined=[QuarantineRow(id="q", at=NOW, alarm=None, cause="nonsense", body=b"\x00")],
    )

    await store.write(epoch, given)

    loaded = await store.load(NOW)
    assert (loaded.alarms, loaded.facts, loaded.outbox, loaded.answered) == (
        [call],
        list(given.facts),
        [effect],
        list(given.answered),
    )
    assert loaded.ended_recently == [] and loaded.site is None
    found, (entry,) = await store.alarm("a")
    assert found == call
    assert msgspec.structs.asdict(entry) == {
        "id": "e1",
        "version": 1,
        "at": NOW,
        "received_at": NOW,
        "type": "raised",
        "phase": "ringing",
        "body": {"n": 1},
        "reasons": ["x"],
        "roster": "r0",
    }


async def test_a_batch_of_any_shape_is_read_back_and_written_once(store: Any, epoch: int) -> None:
    """Small and common ones take shorter ways than full ones; nobody sees a difference."""
    given = []
    for alarms, replies, effects, facts in itertools.product(range(3), range(3), range(3), range(2)):
        calls = [alarm() for _ in range(alarms)]
        given.append(
            batch(
                alarms=[alarm_row(call) for call in calls],
                events=[event_row(call.id) for call in calls],
                answered=[AnsweredRow(scope="s", id=fresh("r"), at=NOW, answer=b"x") for _ in range(replies)],
                outbox=[effect_row() for _ in range(effects)],
                facts=[FactRow(scope="s", key=fresh("f"), at=NOW, body=b"1") for _ in range(facts)],
            )
        )

    for one in given:
        await store.write(epoch, one)
        await store.write(epoch, one)
        with pytest.raises(Fenced):
            await store.write(epoch - 1, msgspec.structs.replace(one, id="fenced"))

    loaded = await store.load(NOW)
    assert [a.id for a in loaded.alarms] == [row.id for one in given for row in one.alarms]
    assert loaded.outbox == [row for one in given for row in one.outbox]
    assert loaded.facts == [row for one in given for row in one.facts]
    assert sorted(loaded.answered, key=lambda row: row.id) == [row for one in given for row in one.answered]
    for call in loaded.alarms:
        assert len((await store.alarm(call.id))[1]) == 1


async def test_a_batch_written_again_changes_nothing(store: Any, epoch: int) -> None:
    """So that a batch whose fate is unknown can simply be written again, even under the next epoch."""
    first = batch(alarms=[alarm_row(alarm("a"))], events=[event_row("a")], outbox=[effect_row()])
    await store.write(epoch, first)
    await store.settle(epoch, [first.outbox[0].id], [])

    await store.write(epoch, first)
    later = (await store.acquire("first", 60_000)).epoch
    await store.write(later, first)

    assert (await store.load(NOW)).outbox == []
    assert len((await store.alarm("a"))[1]) == 1


async def test_what_is_applied_is_known(store: Any, epoch: int) -> None:
    """By the batch's id, and only once it is committed."""
    given = raised(alarm())

    assert not await store.applied(given.id)
    await store.write(epoch, given)
    assert await store.applied(given.id)


async def test_one_event_may_be_the_mark_of_its_batch(store: Any, epoch: int) -> None:
    """It carries the batch's id. Again it changes nothing, and it is as much a time line as any other."""
    first = batch(id="b1", alarms=[alarm_row(alarm("a"))], events=[event_row("a", id="b1")])

    assert not await store.applied("b1")
    await store.write(epoch, first)
    assert await store.applied("b1")
    await store.write(epoch, raised(alarm("a", version=2, count=2)))
    await store.write(epoch, first)

    found, timeline = await store.alarm("a")
    assert found.count == 2 and len(timeline) == 2


async def test_one_event_under_an_older_epoch_is_not_written(store: Any, epoch: int) -> None:
    """The fence holds for the shortest statement too."""
    with pytest.raises(Fenced):
        await store.write(
            epoch - 1, batch(id="b1", alarms=[alarm_row(alarm("a"))], events=[event_row("a", id="b1")])
        )

    assert not await store.applied("b1") and (await store.load(NOW)).alarms == []


async def test_an_older_version_never_overwrites(store: Any, epoch: int) -> None:
    """Rows only move forwards."""
    await store.write(epoch, raised(alarm("a", version=3, count=3)))
    await store.write(epoch, batch(alarms=[alarm_row(alarm("a", version=2, count=2))]))
    await store.write(epoch, batch(alarms=[alarm_row(alarm("a", version=3, count=9))]))

    assert (await store.alarm("a"))[0].count == 3


UNSTORABLE: dict[str, Batch] = {
    "NUL in text": batch(alarms=[alarm_row(alarm(), place="sal\0")]),
    "NUL escaped in an alarm": batch(alarms=[alarm_row(alarm(text="a\0b"))]),
    "NUL escaped in a reason": batch(events=[event_row("a", reasons=rb'["\\\u0000"]')]),
    "half a surrogate pair": batch(answered=[AnsweredRow(scope="s", id="\ud83d", at=NOW, answer=b"")]),
    "a number beyond 64 bits": batch(alarms=[alarm_row(alarm(), at=2**63)]),
    "no JSON": batch(events=[event_row("a", body=b"{")]),
    "JSON that is no UTF-8": batch(events=[event_row("a", body=b'"\xff"')]),
    "an alarm twice": batch(alarms=[alarm_row(alarm("a")), alarm_row(alarm("a", version=2))]),
    "an event twice": batch(events=[event_row("a", id="e"), event_row("a", id="e")]),
    "an event known already": batch(events=[event_row("a", id="known")]),
    "an event known already, beside an alarm": batch(
        alarms=[alarm_row(alarm())], events=[event_row("a", id="known")]
    ),
    "an effect twice": batch(outbox=[effect_row(id="o"), effect_row(id="o")]),
    "bad facts": batch(facts=[FactRow(scope="s", key="\0", at=NOW, body=b"1")]),
    "a bad quarantine": batch(quarantined=[QuarantineRow(id="q", at=NOW, alarm=None, cause="\0", body=b"")]),
}


@pytest.mark.parametrize("fault", UNSTORABLE)
async def test_bad_data_stops_only_its_batch(store: Any, epoch: int, fault: str) -> None:
    """Nothing of the batch is written, and the next one goes through."""
    await store.write(epoch, batch(events=[event_row("a", id="known")]))
    bad = msgspec.structs.replace(UNSTORABLE[fault], answered=[
        *UNSTORABLE[fault].answered, AnsweredRow(scope="good", id="1", at=NOW, answer=b"x"),
    ])  # fmt: skip

    with pytest.raises(Unstorable):
        await store.write(epoch, bad)

    assert await store.remembered("good", "1") is None
    assert not await store.applied(bad.id)
    await store.write(epoch, raised(alarm("next")))
    assert [a.id for a in (await store.load(NOW)).alarms] == ["next"]


async def test_a_refusal_names_no_content(store: Any, epoch: int) -> None:
    """What people wrote belongs in no log."""
    with pytest.raises(Unstorable) as refused:
        await store.write(epoch, batch(alarms=[alarm_row(alarm(), place="Berit Lund\0")]))

    assert "Berit" not in str(refused.value)


async def test_a_written_out_escape_is_only_text(store: Any, epoch: int) -> None:
    r"""Somebody who types \u0000 has sent six harmless characters."""
    call = alarm(text=r"\u0000 \\u0000")
    await store.write(epoch, raised(call))

    assert (await store.load(NOW)).alarms == [call]


async def test_the_first_reply_is_the_reply(store: Any, epoch: int) -> None:
    """The same id gets the same answer, whatever has happened since."""
    for answer in (b"first", b"second"):
        reply = AnsweredRow(scope="device:d", id="7", at=NOW, answer=answer)
        await store.write(epoch, batch(answered=[reply]))

    assert await store.remembered("device:d", "7") == b"first"
    assert await store.remembered("device:d", "8") is None
    assert await store.remembered("device:e", "7") is None


async def test_a_fact_is_its_last_word(store: Any, epoch: int) -> None:
    """Within a batch and over several; None forgets."""

    def fact(key: str, body: bytes | None) -> FactRow:
        return FactRow(scope="s", key=key, at=NOW, body=body)

    await store.write(
        epoch, batch(facts=[fact("a", b"1"), fact("b", b"1"), fact("c", b"1"), fact("a", b"2")])
    )
    await store.write(
        epoch, batch(facts=[fact("b", None), fact("c", None), fact("c", b"3"), fact("x", None)])
    )

    assert (await store.load(NOW)).facts == [fact("a", b"2"), fact("c", b"3")]


async def test_a_known_roster_is_stored_once(store: Any, epoch: int) -> None:
    """Within a batch and over several."""
    await store.write(epoch, batch(rosters=[("h", b"{}"), ("h", b"{}")]))
    await store.write(epoch, batch(rosters=[("h", b"{}"), ("i", b"{}")], events=[event_row("a", roster="i")]))


async def test_loading_gives_what_is_open_and_what_ended_lately(store: Any, epoch: int) -> None:
    """Open ones oldest first; ended ones of the last hour; replies of the last 24 h, newest first."""
    ended = {"phase": Phase.ENDED, "version": 2}
    await store.write(
        epoch,
        batch(
            alarms=[
                alarm_row(alarm("young", raised_at=NOW - 1)),
                alarm_row(alarm("old", raised_at=NOW - 9 * HOUR)),
                alarm_row(alarm("lately", at=NOW - HOUR, **ended)),
                alarm_row(alarm("long ago", at=NOW - HOUR - 1, **ended)),
            ],
            answered=[
                AnsweredRow(scope="s", id="old", at=NOW - 24 * HOUR - 1, answer=b""),
                AnsweredRow(scope="s", id="lately", at=NOW - 24 * HOUR, answer=b""),
                AnsweredRow(scope="s", id="new", at=NOW, answer=b""),
            ],
            outbox=[effect_row(id="2"), effect_row(id="1")],
        ),
    )

    loaded = await store.load(NOW)

    assert [a.id for a in loaded.alarms] == ["old", "young"]
    assert [a.id for a in loaded.ended_recently] == ["lately"]
    assert [reply.id for reply in loaded.answered] == ["new", "lately"]
    assert loaded.answered_complete
    assert [effect.id for effect in loaded.outbox] == ["1", "2"]


async def test_an_ended_alarm_is_no_longer_open(store: Any, epoch: int) -> None:
    """It moves from the open ones to those that ended lately."""
    await store.write(epoch, raised(alarm("a")))
    await store.write(epoch, batch(alarms=[alarm_row(alarm("a", phase=Phase.ENDED, version=2))]))

    loaded = await store.load(NOW)

    assert (loaded.alarms, [a.id for a in loaded.ended_recently]) == ([], ["a"])


async def _outbox(store: Any, epoch: int, *addresses: str) -> list[str]:
    effects = [effect_row(address=address) for address in addresses]
    await store.write(epoch, batch(outbox=effects))
    return [effect.id for effect in effects]


async def test_a_new_process_claims_what_the_one_before_had_claimed(open_store: Any) -> None:
    """A killed process cannot settle: its claims are freed under the new epoch, and only under that."""
    store = await open_store()
    old = (await store.acquire("first", 60_000)).epoch
    await store.write(old, batch(outbox=[effect_row(id="1")]))
    await store.claim(old, NOW, 30_000, 10)

    new = (await store.acquire("first", 60_000)).epoch
    with pytest.raises(Fenced):
        await store.unclaim(old)
    assert await store.claim(new, NOW, 30_000, 10) == []
    await store.unclaim(new)
    (again,) = await store.claim(new, NOW, 30_000, 10)
    assert (again.id, again.attempt) == ("1", 2)


async def test_a_claimed_effect_is_not_claimed_again_until_its_lease_is_over(store: Any, epoch: int) -> None:
    """Each claim counts as an attempt."""
    (id,) = await _outbox(store, epoch, "plant")

    (first,) = await store.claim(epoch, NOW, 1000, 10)
    assert (first.id, first.attempt, first.body) == (id, 1, b'{"status":"paged"}')
    assert await store.claim(epoch, NOW + 999, 1000, 10) == []
    (second,) = await store.claim(epoch, NOW + 1000, 1000, 10)
    assert second.attempt == 2


async def test_effects_come_oldest_first_and_as_many_as_asked_for(store: Any, epoch: int) -> None:
    """The rest comes with the next claim, if its address is free."""
    ids = await _outbox(store, epoch, "x", "y", "z")

    assert [e.id for e in await store.claim(epoch, NOW, 1000, 2)] == ids[:2]
    assert [e.id for e in await store.claim(epoch, NOW, 1000, 2)] == ids[2:]


async def test_one_address_gets_its_effects_in_order(store: Any, epoch: int) -> None:
    """A later effect waits for an earlier one that is being tried; other addresses do not."""
    first, other, second = await _outbox(store, epoch, "plant", "pager", "plant")
    assert [e.id for e in await store.claim(epoch, NOW, 1000, 1)] == [first]

    assert [e.id for e in await store.claim(epoch, NOW, 1000, 10)] == [other]
    await store.settle(epoch, [other], [(first, NOW + 500)])
    assert await store.claim(epoch, NOW + 499, 1000, 10) == []
    assert [e.id for e in await store.claim(epoch, NOW + 500, 1000, 10)] == [first, second]


async def test_the_same_address_on_another_channel_is_another_address(store: Any, epoch: int) -> None:
    """A push to `d` does not wait for a page to `d`."""
    page, push = effect_row(channel="page", address="d"), effect_row(channel="push", address="d")
    await store.write(epoch, batch(outbox=[page, push]))
    assert [e.id for e in await store.claim(epoch, NOW, 1000, 1)] == [page.id]

    assert [e.id for e in await store.claim(epoch, NOW, 1000, 10)] == [push.id]


async def test_settled_effects_are_forgotten(store: Any, epoch: int) -> None:
    """What was sent does not come back; ids nobody knows do no harm."""
    first, second = await _outbox(store, epoch, "x", "y")
    await store.claim(epoch, NOW, 1000, 10)

    await store.settle(epoch, [first, "unknown"], [(second, NOW + 5), ("unknown", NOW)])

    assert [e.id for e in (await store.load(NOW)).outbox] == [second]
    assert [e.id for e in await store.claim(epoch, NOW + 5, 1000, 10)] == [second]


def _published(policy: Policy) -> tuple[bytes, list[tuple[str, int, bytes]]]:
    return msgspec.json.encode(site(policy)), [(policy.name, policy.version, msgspec.json.encode(policy))]


async def test_the_newest_site_knows_every_policy_ever_published(store: Any) -> None:
    """An open alarm is pinned to the version it began with."""
    assert await store.site() is None and (await store.load(NOW)).site_at == 0
    old, new = policy(1, answer_s=45), policy(2, answer_s=30)

    assert await store.publish_site(*_published(old), NOW) == 1
    assert await store.publish_site(*_published(new), NOW + 1) == 2

    newest = await store.site()
    assert newest == msgspec.structs.replace(site(new), version=2, policies={"calls": {1: old, 2: new}})
    loaded = await store.load(NOW)
    assert (loaded.site, loaded.site_at) == (newest, NOW + 1)


async def test_a_published_policy_version_is_never_changed(store: Any) -> None:
    """Publishing it again as it is does no harm; with other content the whole site is refused."""
    await store.publish_site(*_published(policy(1)), NOW)

    assert await store.publish_site(*_published(policy(1)), NOW) == 2
    with pytest.raises(Unstorable):
        await store.publish_site(*_published(policy(1, answer_s=5)), NOW)

    assert (await store.site()).version == 2


async def test_the_lease_brings_word_of_new_sites_and_tokens(store: Any, epoch: int) -> None:
    """So that a running hub learns of what the command line published."""
    before = await store.renew(epoch, 60_000)
    await store.publish_site(*_published(policy(1)), NOW)
    await store.add_tokens([Token(digest=b"1" * 32, kind="source", subject="plant")], NOW)

    after = await store.renew(epoch, 60_000)

    assert (before.site_version, after.site_version) == (0, 1)
    assert after.tokens_version > before.tokens_version


async def test_a_token_is_known_by_its_digest(store: Any) -> None:
    """And by nothing else; one that is known gets new scopes and nothing else, twice at once is refused."""
    api = Token(digest=b"\x00" * 32, kind="api", subject="board", scopes=("alarms:read", "site:read"))
    phone = Token(digest=b"\xff" * 32, kind="phone", subject="berit")

    await store.add_tokens([api, phone], NOW)

    assert await store.token(b"\x00" * 32) == api
    assert await store.token(b"\xff" * 32) == phone
    assert await store.token(b"\x01" * 32) is None
    wider = Token(digest=b"\x00" * 32, kind="phone", subject="berit", scopes=("site:read",))
    await store.add_tokens([wider], NOW)
    known = await store.token(b"\x00" * 32)
    assert (known.kind, known.subject, known.scopes) == ("api", "board", ("site:read",))
    with pytest.raises(Unstorable):
        await store.add_tokens([api, api], NOW)


async def test_a_time_line_is_in_order(store: Any, epoch: int) -> None:
    """By version, then time, then as written within one batch; ids say nothing about order."""
    await store.write(epoch, raised(alarm("a"), alarm("b")))
    await store.write(
        epoch,
        batch(
            events=[
                event_row("a", id="z", version=2, type="rang"),
                event_row("a", id="y", version=2, type="accepted"),
                event_row("b", id="x", version=2, type="rang"),
            ]
        ),
    )
    await store.write(epoch, batch(events=[event_row("a", id="w", version=2, at=NOW + 1, type="attended")]))

    found = await store.alarm("a")

    assert [entry.type for entry in found[1]] == ["raised", "rang", "accepted", "attended"]
    assert await store.alarm("unknown") is None


async def test_alarms_are_listed_newest_first_in_pages(store: Any, epoch: int) -> None:
    """Equal times are told apart by id, so that no page repeats or leaves out one."""
    times = {"a": 1, "b": 2, "c": 2, "d": 3}
    await store.write(epoch, raised(*(alarm(id, raised_at=NOW + at) for id, at in times.items())))

    first = await store.alarms(**LIST | {"limit": 2})
    second = await store.alarms(**LIST | {"limit": 2, "after": first[-1].id})

    assert [a.id for a in (*first, *second)] == ["d", "c", "b", "a"]
    assert await store.alarms(**LIST | {"after": "a"}) == []
    assert await store.alarms(**LIST | {"after": "unknown"}) == []


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ({"phase": "ended"}, ["c"]),
        ({"phase": "ringing"}, ["b", "a"]),
        ({"units": ["202", "203"]}, ["c", "b"]),
        ({"units": []}, []),
        ({"source": "button"}, ["a"]),
        ({"source": "plant", "units": ["202"], "phase": "ringing"}, ["b"]),
    ],
)
async def test_alarms_are_listed_by_phase_unit_and_source(
    store: Any, epoch: int, only: dict[str, Any], found: list[str]
) -> None:
    """All that are given must fit; no units means no unit."""
    await store.write(
        epoch,
        raised(
            alarm("a", source="button", unit="201"),
            alarm("b", unit="202", raised_at=NOW + 1),
            alarm("c", unit="203", raised_at=NOW + 2, phase=Phase.ENDED),
        ),
    )

    assert [a.id for a in await store.alarms(**LIST | only)] == found


async def test_old_replies_and_batches_are_forgotten(store: Any, epoch: int) -> None:
    """Replies after 24 h, batches after an hour; alarms and their log never."""
    written = batch(
        alarms=[alarm_row(alarm("a"))],
        events=[event_row("a")],
        answered=[
            AnsweredRow(scope="s", id="old", at=NOW, answer=b"x"),
            AnsweredRow(scope="s", id="new", at=NOW + 1, answer=b"x"),
        ],
    )
    await store.write(epoch, written)
    database_now = (await store.renew(epoch, 60_000)).database_now

    await store.trim(epoch, NOW + 24 * HOUR + 1)
    assert await store.remembered("s", "old") is None
    assert await store.remembered("s", "new") == b"x"
    await store.trim(epoch, database_now + HOUR + 60_000)
    assert not await store.applied(written.id)
    assert len((await store.alarm("a"))[1]) == 1


async def test_closing_twice_is_closing_once(store: Any, epoch: int) -> None:
    """And nothing is written afterwards."""
    await store.close()
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.write(epoch, raised(alarm()))


async def test_what_its_writer_carries_out_is_claimed_only_when_that_one_is_gone(
    store: Any, epoch: int
) -> None:
    """A push goes from the commit to the wire without asking back; a restart finds what was left."""
    own = effect_row(channel="push", address="anna", created_at=NOW, give_up_at=NOW + 60_000, attempt=1)
    more = [effect_row(channel="push", address="bo", give_up_at=NOW + 60_000, attempt=1) for _ in range(2)]
    await store.write(epoch, batch(outbox=[own]))
    await store.write(epoch, msgspec.structs.replace(raised(alarm()), outbox=[more[0]]))
    await store.write(epoch, batch(outbox=[more[1]]))

    assert list(await store.claim(epoch, NOW + 59_999, 1000, 10)) == []
    await store.unclaim(epoch)
    claimed = await store.claim(epoch, NOW + 1, 1000, 10)

    assert [(row.id, row.attempt) for row in claimed] == [(row.id, 2) for row in (own, *more)]
    await store.settle(epoch, [row.id for row in claimed], [])
    assert list((await store.load(NOW)).outbox) == []
