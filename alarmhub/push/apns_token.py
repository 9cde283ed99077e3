"""The token by which Apple knows us: a JWT signed with the team's key (ES256), one for all connections.

Apple accepts one for an hour and answers 429 TooManyProviderTokenUpdates when a new one comes more often than
every 20 minutes; so it is made anew after 40, and never before 20. It refuses keys that are not on P-256.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from alarmhub.clock import Clock
from alarmhub.push.settings import ApnsSettings

RENEW_AFTER_MS: Final = 40 * 60_000
RENEW_AT_MOST_EVERY_MS: Final = 20 * 60_000


class KeyFault(Exception):
    """The key cannot be used; `args[0]` is "SETTING: what was expected"."""


class ProviderToken:
    """Raises KeyFault when the key of these settings cannot be used."""

    def __init__(self, settings: ApnsSettings, clock: Clock) -> None:
        self._key = _key(settings)
        self._key_id, self._team_id = settings.key_id or "", settings.team_id or ""
        self._clock = clock
        self._issued_at = 0
        self._header = ""

    def header(self) -> str:
        """The value of `authorization`."""
        now = self._clock.now()
        if not self._header or now - self._issued_at >= RENEW_AFTER_MS:
            self._issued_at = now
            token = jwt.encode(
                {"iss": self._team_id, "iat": now // 1000},
                self._key,
                algorithm="ES256",
                headers={"kid": self._key_id},
            )
            self._header = f"bearer {token}"
        return self._header

    def expired(self) -> bool:
        """Apple says that it is too old: make a new one next time. False when this one is too young for that
        (then a clock is wrong, and a new one would not help)."""
        if self._clock.now() - self._issued_at < RENEW_AT_MOST_EVERY_MS:
            return False
        self._header = ""
        return True


def _key(settings: ApnsSettings) -> EllipticCurvePrivateKey:
    field = "key_file" if settings.key_file else "key"
    try:
        text = Path(settings.key_file).read_bytes() if settings.key_file else _text(settings)
        key = load_pem_private_key(text, password=None)
    except OSError as exc:
        raise KeyFault(f"{field}: {exc.strerror or exc}") from exc
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise KeyFault(f"{field}: expected a private key in PEM form, as in Apple's .p8 file") from exc
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeyFault(f"{field}: expected a key on the curve P-256, as in Apple's .p8 file")
    return key


def _text(settings: ApnsSettings) -> bytes:
    return settings.key.reveal().encode() if settings.key else b""
