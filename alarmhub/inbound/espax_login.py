"""Who may log in over ESPA-X, and how often somebody may guess.

Six wrong logins from one address within a minute, and further ones from there are put off (503) without being
looked at, until the first of them is a minute old: a client that was set wrong and then put right waits a
minute at most, and one that guesses gets six tries a minute. It refuses to lock anybody else out, and to
remember more than the last addresses that failed.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict, deque
from typing import Final

from alarmhub.secret import Secret

FAILURES: Final = 6
FAILURES_WITHIN_MS: Final = 60_000
HOSTS_REMEMBERED: Final = 256


class LoginGuard:
    """One link's user, its password, and the failures of late. Instants in ms."""

    def __init__(self, user: str, password: Secret) -> None:
        self._user, self._password = user, password
        self._failed: OrderedDict[str, deque[int]] = OrderedDict()

    def put_off(self, host: str, now: int) -> bool:
        """Whether this address has guessed too often of late."""
        failed = self._failed.get(host)
        if failed is None:
            return False
        while failed and now - failed[0] >= FAILURES_WITHIN_MS:
            failed.popleft()
        return len(failed) >= FAILURES

    def check(self, user: str, password: str, host: str, now: int) -> bool:
        """Whether these are the link's; a failure is remembered against the address."""
        # Both are compared, so that the time tells neither which was wrong nor where.
        known = hmac.compare_digest(user.encode("utf-8", "replace"), self._user.encode())
        if (Secret(password) == self._password) & known:
            self._failed.pop(host, None)
            return True
        self._failed.setdefault(host, deque(maxlen=FAILURES)).append(now)
        self._failed.move_to_end(host)
        while len(self._failed) > HOSTS_REMEMBERED:
            self._failed.popitem(last=False)
        return False
