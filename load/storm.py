"""Ten thousand phones that lose the hub and come back at once, in a process of their own.

Apart from the generator, so that reading their welcomes delays no measured alarm. They are told over a pipe;
each answer tells what was done and how long it took.
"""

from __future__ import annotations

import gc
import multiprocessing
from multiprocessing.connection import Connection
from typing import Any, Final

from load.answers import Absent
from load.ledger import Ledger
from load.phones import Crowd
from load.reactor import Reactor, now_ns

WITHIN_S: Final = 120.0
EVERY_US: Final = 40
"""Between two of them: ten thousand within half a second, no kernel takes more."""
AGAIN_S: Final = 1.0


class Storm:
    """The crowd of a child process. `connect`, then `break_out` and `back`."""

    def __init__(self, host: str, port: int, secrets: list[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._child = context.Process(target=_play, args=(theirs, host, port, secrets), daemon=True)
        self._child.start()

    def connect(self) -> None:
        """All phones get in for the first time. Raises TimeoutError."""
        self._pipe.send("connect")
        self._told(WITHIN_S + 10)

    def break_out(self) -> None:
        """Cut all connections and come back, from now on; `back` says how it went."""
        self._pipe.send("storm")

    def back(self) -> dict[str, Any] | None:
        """How long until all were in again, or None while that is not known."""
        return self._told(1) if self._pipe.poll() else None

    def stop(self) -> None:
        """End the process."""
        self._pipe.send("stop")
        self._child.join(10)
        if self._child.is_alive():
            self._child.terminate()
            self._child.join(5)

    def _told(self, within_s: float) -> dict[str, Any]:
        if not self._pipe.poll(within_s):
            raise TimeoutError("the phones of the storm said nothing")
        told: dict[str, Any] = self._pipe.recv()
        if "fault" in told:
            raise TimeoutError(told["fault"])
        return told


def _play(pipe: Connection, host: str, port: int, secrets: list[str]) -> None:
    reactor = Reactor()
    crowd = Crowd(reactor, host, port, secrets, Ledger(marker="storm-"), Absent())
    gc.disable()
    while True:
        # Between commands the phones beat on.
        reactor.run_until(pipe.poll, 3600, every_s=0.005)
        match pipe.recv():
            case "connect":
                try:
                    crowd.connect(within_s=WITHIN_S)
                    pipe.send({})
                except TimeoutError as error:
                    pipe.send({"fault": str(error)})
            case "storm":
                pipe.send(_storm(reactor, crowd))
            case _:
                crowd.close()
                return


def _storm(reactor: Reactor, crowd: Crowd) -> dict[str, Any]:
    began_ns, turned_away = now_ns(), 0
    for phone in crowd.phones:
        crowd.cut(phone)

    def come_back(phone: Any) -> None:
        nonlocal turned_away
        if phone.stage == "off":
            crowd.connect_one(phone)
            reactor.call_in(AGAIN_S, again, phone)

    def again(phone: Any) -> None:
        nonlocal turned_away
        if phone.stage == "off":
            turned_away += 1
            come_back(phone)
        elif phone.stage != "synced":
            reactor.call_in(AGAIN_S, again, phone)

    for number, phone in enumerate(crowd.phones):
        reactor.call_at(began_ns + number * EVERY_US * 1000, come_back, phone)
    all_in = reactor.run_until(lambda: crowd.synced == len(crowd.phones), WITHIN_S, every_s=0.005)
    times = sorted((phone.synced_ns - began_ns) / 1e9 for phone in crowd.phones if phone.synced_ns)
    return {
        "all_in": all_in, "phones": len(crowd.phones), "in": crowd.synced, "turned_away": turned_away,
        "half_in_s": round(times[len(times) // 2], 2) if times else None,
        "last_in_s": round(times[-1], 2) if times else None,
    }  # fmt: skip
