"""Who we are to browsers' push services (VAPID, RFC 8292): a key pair of this installation, signed claims.

The pair is made at first use and kept below the data folder for its owner only; browsers subscribe to its
public half, so whoever loses it loses every subscription. The claims are py_vapid's, one for each service,
kept and renewed long before they end. It refuses a key file that others can read.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from py_vapid import Vapid02

from alarmhub.clock import Clock
from alarmhub.secret import kept

KEY_FILE: Final = "webpush-vapid.pem"
CLAIM_S: Final = 12 * 3600
"""How long a claim holds; push services take up to 24 hours."""
RENEW_AFTER_MS: Final = 6 * 3_600_000
ORIGINS_MOST: Final = 500


class VapidFault(Exception):
    """The pair cannot be used; `args[0]` says why."""


class VapidKey:
    """The pair below `data_dir`. Raises VapidFault when it can be neither read nor made."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / KEY_FILE
        try:
            text = kept(path, _fresh).reveal().encode()
            key = load_pem_private_key(text, password=None)
        except PermissionError as exc:
            raise VapidFault(str(exc)) from exc
        except OSError as exc:
            raise VapidFault(f"{path}: {exc.strerror or exc}") from exc
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise VapidFault(f"{path}: expected a private key in PEM form") from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise VapidFault(f"{path}: expected a key on the curve P-256")
        self.signer: Any = Vapid02(key)
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        """What a browser subscribes with (`applicationServerKey`), in base64url."""


def _fresh() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


class VapidClaims:
    """The header for each push service. `contact`: whom it may write to."""

    def __init__(self, key: VapidKey, contact: str, clock: Clock) -> None:
        self._key, self._contact, self._clock = key, contact, clock
        self._made: dict[str, tuple[int, str]] = {}

    def header(self, origin: str) -> str:
        """The value of `Authorization` for https://HOST."""
        now = self._clock.now()
        made_at, header = self._made.get(origin, (0, ""))
        if header and now - made_at < RENEW_AFTER_MS:
            return header
        claims = {"aud": origin, "sub": self._contact, "exp": now // 1000 + CLAIM_S}
        header = str(self._key.signer.sign(claims)["Authorization"])
        if len(self._made) >= ORIGINS_MOST:
            self._made.clear()
        self._made[origin] = (now, header)
        return header
