"""Where a person can be reached by push: loaded, handed over, replaced, dead."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.people import Device, PushTarget
from alarmhub.ports import StoreUnavailable
from alarmhub.push.targets import TargetBook
from alarmhub.store.memory import Tables
from alarmhub.store.push_targets import MemoryPushTargets
from alarmhub.tasks import Crew
from tests.support.clock import ManualClock
from tests.support.push import FakeTransport
from tests.support.waiting import until


class Shelf:
    """A book over a database in memory, and what it said of people."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.store = MemoryPushTargets(self.tables)
        self.reached: dict[str, tuple[str, ...]] = {}
        self.died: list[tuple[str, str]] = []
        self.crew = Crew("test")
        self.book = TargetBook(
            self.store, transports={"webpush": FakeTransport("webpush")}, clock=ManualClock(),
            crew=self.crew, pushable=self._pushable,
        )  # fmt: skip
        self.book.on_dead.append(lambda device, transport: self.died.append((device, transport)))

    def _pushable(self, staff: str, devices: tuple[str, ...]) -> None:
        self.reached[staff] = devices

    def phone(self, id: str, staff: str = "", **more: Any) -> None:
        """As the database has it."""
        self.tables.devices[id] = Device(
            id=id, digest=b"", label=id, enrolled_by="ivar", enrolled_at=0, staff=staff, **more
        )

    async def stored(self, device: str, address: str, transport: str = "webpush") -> None:
        """A target the database has already."""
        await self.store.put_target(
            PushTarget(device=device, transport=transport, address=address, registered_at=0)
        )

    @property
    def addresses(self) -> dict[str, list[str]]:
        """By person who is carried a phone for."""
        return {staff: [t.address for t in self.book.of(staff)] for staff in ("anna", "bo")}


@pytest.fixture
async def shelf() -> Any:
    """With anna's phone and a pool phone that nobody carries."""
    shelf = Shelf()
    shelf.phone("p1", "anna")
    shelf.phone("pool")
    yield shelf
    await shelf.crew.close()


async def test_what_is_stored_is_known_after_loading(shelf: Shelf) -> None:
    """Who carries a phone with an address is reachable; a provider without credentials reaches nobody."""
    await shelf.stored("p1", "a")
    await shelf.stored("p1", "x", transport="fcm")
    await shelf.stored("pool", "b")
    shelf.phone("p2", "bo")
    await shelf.stored("p2", "y", transport="fcm")

    await shelf.book.load()

    assert shelf.addresses == {"anna": ["a"], "bo": []}
    assert shelf.reached == {"anna": ("p1",), "bo": ()}
    assert [t.address for t in shelf.book.of_device("pool")] == ["b"] and len(shelf.book) == 2


async def test_a_phone_counts_for_who_carries_it_now(shelf: Shelf) -> None:
    """Handed over, put back into the drawer, taken again."""
    await shelf.stored("pool", "b")
    await shelf.book.load()

    shelf.book.carried("pool", "bo")
    assert shelf.addresses == {"anna": [], "bo": ["b"]} and shelf.reached["bo"] == ("pool",)
    shelf.book.carried("pool", "anna")
    assert shelf.addresses == {"anna": ["b"], "bo": []} and shelf.reached["bo"] == ()
    shelf.book.carried("pool", "")
    assert shelf.addresses == {"anna": [], "bo": []} and shelf.reached["anna"] == ()


async def test_a_change_elsewhere_is_read_again(shelf: Shelf) -> None:
    """Another process handed a phone over, and one was revoked; the database was away for a moment."""
    shelf.phone("p2", "bo")
    await shelf.stored("p1", "a")
    await shelf.stored("p2", "b")
    await shelf.book.load()
    shelf.phone("p1", "bo")
    shelf.phone("p2", "bo", revoked_at=1)
    shelf.store.away = True

    shelf.book.changed()
    with pytest.raises(StoreUnavailable):
        await shelf.book.load()
    assert shelf.addresses == {"anna": ["a"], "bo": ["b"]}
    shelf.store.away = False

    await until(lambda: shelf.addresses == {"anna": [], "bo": ["a"]}, "it is read again", within_s=10)
    assert shelf.reached == {"anna": (), "bo": ("p1",)}


async def test_a_shift_change_is_read_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty phones change hands: whoever changed them has said so, one look is enough."""
    monkeypatch.setattr("alarmhub.push.targets.LOOK_AFTER_S", 0.05)
    await shelf.stored("p1", "a")
    read, looks = shelf.store.targets, 0

    async def counted() -> Any:
        nonlocal looks
        looks += 1
        return await read()

    shelf.store.targets = counted  # type: ignore[method-assign]
    for _ in range(50):
        shelf.book.changed()
    await until(lambda: shelf.addresses["anna"], "it is read")
    assert looks == 1
    shelf.book.changed()
    await until(lambda: looks == 2, "a later change is read too")


async def test_a_phone_registers_and_moves(shelf: Shelf) -> None:
    """A new address replaces the old one; an address another phone says is that one's from then on."""
    await shelf.book.put("p1", "anna", "webpush", "a", {"auth": "x"})
    await shelf.book.put("p1", "anna", "webpush", "b", {})
    assert shelf.addresses["anna"] == ["b"]
    await shelf.book.put("p2", "bo", "webpush", "b", {})
    assert shelf.addresses == {"anna": [], "bo": ["b"]}
    assert shelf.reached == {"anna": (), "bo": ("p2",)}
    assert [t.device for t in shelf.tables.push_targets.values()] == ["p2"]


@pytest.mark.parametrize("now", ["bo", ""])
async def test_a_phone_that_changes_hands_while_it_registers_is_its_new_carriers(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    """Or nobody's, when it was revoked: who asked before carries it no more."""
    await shelf.book.load()
    put = shelf.store.put_target

    async def meanwhile(target: PushTarget) -> None:
        shelf.book.carried("p1", now)
        await put(target)

    monkeypatch.setattr(shelf.store, "put_target", meanwhile)
    await shelf.book.put("p1", "anna", "webpush", "https://push/new", {})

    assert shelf.addresses == {"anna": [], "bo": ["https://push/new"] if now else []}


async def test_an_app_that_says_the_same_again_keeps_what_is_known_of_the_address(shelf: Shelf) -> None:
    """At each of its starts; another address has no past."""
    await shelf.book.put("p1", "anna", "webpush", "a", {})
    shelf.book.took(shelf.book.of("anna")[0])
    await shelf.book.put("p1", "anna", "webpush", "a", {})
    (same,) = shelf.book.of("anna")
    assert same.taken_at is not None
    await shelf.book.put("p1", "anna", "webpush", "b", {})
    (other,) = shelf.book.of("anna")
    assert other.taken_at is None


async def test_what_cannot_be_stored_counts_for_nothing(shelf: Shelf) -> None:
    """The phone is told, and tries again."""
    shelf.store.away = True
    with pytest.raises(StoreUnavailable):
        await shelf.book.put("p1", "anna", "webpush", "a", {})
    assert shelf.addresses["anna"] == [] and shelf.reached == {}


async def test_a_phone_may_want_no_pushes(shelf: Shelf) -> None:
    """Once; the second time there are none."""
    await shelf.book.put("p1", "anna", "webpush", "a", {})
    assert await shelf.book.drop("p1")
    assert not await shelf.book.drop("p1")
    assert shelf.reached["anna"] == () and not shelf.tables.push_targets


async def test_a_dead_address_is_gone_at_once_and_said_once(shelf: Shelf) -> None:
    """Twice the same news, from two pushes in flight. Its phone has a warning until it registers again."""
    await shelf.stored("p1", "a")
    await shelf.book.load()
    (target,) = shelf.book.of("anna")

    shelf.book.died(target, "410")
    shelf.book.died(target, "410")

    assert shelf.reached["anna"] == () and shelf.died == [("p1", "webpush")]
    assert shelf.book.dead_on("p1") == {"webpush"}
    await until(lambda: not shelf.tables.push_targets, "the database forgets it")
    await shelf.book.put("p1", "anna", "webpush", "b", {})
    assert shelf.book.dead_on("p1") == frozenset()


async def test_old_news_of_an_address_that_was_replaced_changes_nothing(shelf: Shelf) -> None:
    """The provider speaks of the address before."""
    await shelf.book.put("p1", "anna", "webpush", "a", {})
    (old,) = shelf.book.of("anna")
    await shelf.book.put("p1", "anna", "webpush", "b", {})

    shelf.book.died(old, "410")

    assert shelf.addresses["anna"] == ["b"] and shelf.died == []


async def test_what_died_while_the_database_was_away_stays_dead(shelf: Shelf) -> None:
    """It is forgotten there when that can be done; being read again until then does not revive it."""
    await shelf.stored("p1", "a")
    await shelf.book.load()
    (target,) = shelf.book.of("anna")
    shelf.store.away = True
    shelf.book.died(target, "410")
    shelf.store.away = False

    await shelf.book.load()

    assert shelf.addresses["anna"] == []


async def test_what_changes_while_it_is_read_is_not_forgotten(shelf: Shelf) -> None:
    """A phone registers between two answers of the database."""
    read = shelf.store.carriers
    asked = 0

    async def slowly() -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            await shelf.book.put("p1", "anna", "webpush", "a", {})
        return await read()

    shelf.store.carriers = slowly  # type: ignore[method-assign]
    await shelf.book.load()

    assert shelf.addresses["anna"] == ["a"] and asked == 2


async def test_an_address_is_judged_by_its_transport(shelf: Shelf) -> None:
    """One this hub does not push by is named, with those it does."""
    assert shelf.book.fault("webpush", "https://push.example/1", {}) is None
    assert "address" in str(shelf.book.fault("webpush", "", {}))
    assert "webpush" in str(shelf.book.fault("apns", "f00d", {}))
