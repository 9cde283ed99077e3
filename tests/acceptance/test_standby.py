"""Two hubs on one database: who is active, and how quickly the other takes over."""

from __future__ import annotations

import time

from tests.support.hub import House


async def test_a_standby_takes_over_when_the_active_hub_is_killed(house: House) -> None:
    """SIGKILL of the active hub: the other serves after its lease (1.5 s), with every alarm there."""
    first, second = house.hub("first"), house.hub("second")
    await first.start()
    second.launch()
    await second.said("hub_standby")
    pressed = await first.press("call-1")
    assert pressed.status == 201

    first.kill()
    killed_at = time.monotonic()
    await second.serves()
    took_s = time.monotonic() - killed_at

    print(f"take-over after kill -9: {took_s:.2f} s")
    assert took_s <= 3.5
    again = await second.press("call-1")
    assert (again.status, again.body["alarm"], again.body["new"]) == (200, pressed.body["alarm"], False)


async def test_a_standby_takes_over_at_once_after_a_graceful_stop(house: House) -> None:
    """A hub that stops gives its lease back: the other does not wait for it to run out."""
    first, second = house.hub("first"), house.hub("second")
    await first.start()
    second.launch()
    await second.said("hub_standby")

    first.ask_to_stop()
    asked_at = time.monotonic()
    await second.serves()
    took_s = time.monotonic() - asked_at

    print(f"take-over after a graceful stop, its draining included: {took_s:.2f} s")
    assert took_s <= 1.3
    assert await first.ended() == 0
