"""Who carries which phone: enrolled, handed over, put back, lost.

Every change is committed before anybody hears of it, one at a time for each phone. Nobody's phone becomes
somebody else's while she has alarms in hand that ring nowhere else: they find a receiver first. It refuses to
know who may do what (`core.rights`), and sockets.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from alarmhub import logs
from alarmhub.core.reach import RINGS, Reach
from alarmhub.core.shifts import HandOff
from alarmhub.engine.invitations import Invitation, Invitations
from alarmhub.logs import Line
from alarmhub.people import Device, Devices
from alarmhub.ports import AnswerOutcome, Intake

SECRET_BYTES: Final = 32

_log = logs.get("phones")


class NoSuchPhone(Exception):
    """It was never enrolled, or is revoked."""


class PhoneBusy(Exception):
    """Somebody else is taking this very phone at this very instant."""


class ReceiverNeeded(Exception):
    """Who carries the phone (`staff`) has alarms in hand; `outcome` names them, and who could take them."""

    def __init__(self, staff: str, outcome: AnswerOutcome) -> None:
        super().__init__(staff)
        self.staff, self.outcome = staff, outcome


class Carrying:
    """See the module. `elsewhere(staff, device)`: how a person can be reached but for that phone; `carried`
    hears of every change, with who carries the phone now: "" = nobody, None = it is revoked."""

    def __init__(
        self,
        *,
        devices: Devices,
        intake: Intake,
        now: Callable[[], int],
        elsewhere: Callable[[str, str], Reach],
    ) -> None:
        self._devices, self._intake, self._now, self._elsewhere = devices, intake, now, elsewhere
        self._busy: set[str] = set()
        self.codes = Invitations(now)
        self.carried: list[Callable[[Device, str | None], None]] = []

    # Enrolling

    async def enrol(self, code: str, peer: str, label: str, platform: str) -> tuple[Device, str]:
        """A new phone and its secret, carried by who asked for the code; a pool phone by nobody yet. Raises
        CodeOver, TooManyGuesses, StoreUnavailable (then the code still counts)."""
        invitation = self.codes.redeem("enrol", code, peer)
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._now()
        staff = "" if invitation.pool else invitation.by
        device = Device(
            id=str(uuid.uuid4()), digest=hashlib.sha256(secret.encode()).digest(),
            label=invitation.label or label, enrolled_by=invitation.by, enrolled_at=now, platform=platform,
            pool=invitation.pool, unit=invitation.unit, staff=staff, bound_at=now if staff else None,
        )  # fmt: skip
        with self._given_back(code, invitation):
            await self._devices.enrol(device)
        _log.info(Line.PHONE_ENROLLED, device=device.id, staff=staff, by=invitation.by, pool=device.pool)
        self._tell(device, staff)
        return device, secret

    # Handing over

    async def take(self, code: str, peer: str, staff: str, receivers: Mapping[str, str]) -> Device:
        """The phone that showed this code is this person's from now on. Raises CodeOver, TooManyGuesses, and
        as `bind`; refused, the code still counts."""
        invitation = self.codes.redeem("handover", code, peer)
        with self._given_back(code, invitation):
            return await self.bind(invitation.by, staff, receivers)

    async def bind(self, id: str, staff: str, receivers: Mapping[str, str]) -> Device:
        """From now on this person ("" = nobody) carries the phone. Raises NoSuchPhone, PhoneBusy,
        ReceiverNeeded, NotStored, StoreUnavailable."""
        with self._alone(id):
            device = await self._devices.device(id)
            if device is None or device.revoked_at is not None:
                raise NoSuchPhone(id)
            if device.staff == staff:
                return device
            await self._freed(device, receivers)
            now = self._now()
            if not await self._devices.bind(id, staff, now):
                raise NoSuchPhone(id)
            _log.info(Line.PHONE_CARRIED, device=id, staff=staff, was=device.staff)
            device = replace(device, staff=staff, bound_at=now if staff else None)
            self._tell(device, staff)
            return device

    async def _freed(self, device: Device, receivers: Mapping[str, str]) -> None:
        """Whoever carries it is signed off it. What she has in hand rings on another phone of hers, or is a
        colleague's first."""
        if not device.staff or self._elsewhere(device.staff, device.id) in RINGS:
            return
        outcome = await self._intake.duty(staff=device.staff, said=HandOff(dict(receivers)))
        if not outcome.ok:
            raise ReceiverNeeded(device.staff, outcome)

    # Lost

    async def revoke(self, id: str) -> Device:
        """Its secret opens nothing any more. Raises NoSuchPhone, PhoneBusy, StoreUnavailable."""
        with self._alone(id):
            device = await self._devices.device(id)
            if device is None or not await self._devices.revoke(id, self._now()):
                raise NoSuchPhone(id)
            _log.warning(Line.PHONE_REVOKED, device=id, staff=device.staff)
            self._tell(device, None)
            return device

    def _tell(self, device: Device, staff: str | None) -> None:
        for heard in self.carried:
            heard(device, staff)

    @contextmanager
    def _given_back(self, code: str, invitation: Invitation) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.codes.give_back(code, invitation)
            raise

    @contextmanager
    def _alone(self, id: str) -> Iterator[None]:
        if id in self._busy:
            raise PhoneBusy(id)
        self._busy.add(id)
        try:
            yield
        finally:
            self._busy.discard(id)
