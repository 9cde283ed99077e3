"""One seat per device of a person, at most one connection on it."""

from __future__ import annotations

from alarmhub.gateway.connection import Connection, Limits
from alarmhub.gateway.reach import DeviceKey
from alarmhub.gateway.seats import Seats
from tests.support.phone import Nobody


def connection() -> Connection:
    """A connection nobody has opened."""
    return Connection(Nobody(), Limits())


PHONE = DeviceKey("anna", "phone")
TABLET = DeviceKey("anna", "tablet")


def test_a_person_has_as_many_connections_as_devices() -> None:
    """All of them are found by the person's id."""
    seats, first, second = Seats(), connection(), connection()
    assert seats.take(PHONE, first) is None and seats.take(TABLET, second) is None
    assert set(seats.of("anna")) == {first, second} and seats.of("bo") == ()
    assert len(seats) == 2 and set(seats.keys()) == {PHONE, TABLET}


def test_the_newest_connection_of_a_device_wins() -> None:
    """The old one has no seat any more, so that its end changes nothing."""
    seats, old, new = Seats(), connection(), connection()
    seats.take(PHONE, old)
    assert seats.take(PHONE, new) is old
    assert seats.leave(old) is None
    assert seats.of("anna") == (new,) and len(seats) == 1
    seat = seats.leave(new)
    assert seat is not None and seat.key == PHONE
    assert seats.of("anna") == () and len(seats) == 0 and seats.connections() == []


def test_the_same_name_is_another_device_for_another_person() -> None:
    """Nobody can push a colleague off the seat by guessing a name."""
    seats, hers, his = Seats(), connection(), connection()
    seats.take(DeviceKey("anna", "phone"), hers)
    assert seats.take(DeviceKey("bo", "phone"), his) is None
    assert seats.of("anna") == (hers,)


def test_a_seat_with_work_waits_for_its_phone() -> None:
    """What is asked over the old connection is answered over the new one."""
    seats, old, new = Seats(), connection(), connection()
    seats.take(PHONE, old)
    seat = old.seat
    seat.asking = True
    assert seats.leave(old) is seat
    seats.take(PHONE, new)
    assert new.seat is seat
    seats.leave(new)
    seat.asking = False
    seats.settled(seat)
    seats.take(PHONE, old)
    assert old.seat is not seat
