"""Gives every phone of a load site a push address, straight in the hub's database, and the hub the settings.

The hub's own door takes one phone at a time, which is tested elsewhere; here ten thousand are wanted. It
knows the tables and nothing of the hub's code.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Final

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from load.database import DatabaseServer

APNS, FCM, WEB = "apns", "fcm", "webpush"
TRANSPORTS: Final = (APNS, FCM, WEB)

_DEVICES = """
UPDATE token SET device = 'd-' || subject WHERE kind = 'phone' AND device = '';
INSERT INTO device (id, digest, label, platform, pool, unit, staff, enrolled_by, enrolled_at)
SELECT device, digest, subject, '', false, '', subject, 'load', 0 FROM token WHERE kind = 'phone'
ON CONFLICT DO NOTHING;
DELETE FROM push_target;
"""
_TARGETS = """
INSERT INTO push_target (device, transport, address, keys, registered_at)
SELECT id, '{transport}', {address}, '{keys}', 0
FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM device) d WHERE n % {every} = {part};
"""


class Browser:
    """A browser's key pair and secret, good for every phone here."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._secret = os.urandom(16)

    @property
    def keys(self) -> dict[str, str]:
        """What its subscription tells."""
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": _base64(point), "auth": _base64(self._secret)}

    def read(self, body: bytes) -> bytes:
        """What was pushed to it (RFC 8291). Raises http_ece.ECEException."""
        read: bytes = http_ece.decrypt(
            body, private_key=self._private, auth_secret=self._secret, version="aes128gcm"
        )
        return read


def enrol(
    database: DatabaseServer, name: str, transports: tuple[str, ...], ports: dict[str, int], browser: Browser
) -> None:
    """Every phone of the site in database `name` has one address, of these transports in turn."""
    database.run(_DEVICES, name)
    addresses = {
        APNS: "lpad(to_hex(n), 64, '0')",
        FCM: "'load:' || lpad(n::text, 140, '0')",
        WEB: f"'http://127.0.0.1:{ports[WEB]}/push/' || n",
    }
    for part, transport in enumerate(transports):
        command = _TARGETS.format(
            transport=transport, address=addresses[transport], every=len(transports), part=part,
            keys=json.dumps(browser.keys if transport == WEB else {}),
        )  # fmt: skip
        database.run(command, name)


def settings(ports: dict[str, int]) -> str:
    """Credentials that the providers of `load.providers` take, as text of a settings file."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return (
        f'[apns]\nkey = """{key.decode()}"""\nkey_id = "LOADLOADLO"\nteam_id = "LOADLOADLO"\n'
        f'topic = "se.load.app"\nendpoint = "http://127.0.0.1:{ports[APNS]}"\nat_once = 1000\n'
        f"[fcm]\nservice_account = '''{json.dumps(_account(ports[FCM]))}'''\n"
        f'endpoint = "http://127.0.0.1:{ports[FCM]}"\nat_once = 1000\n'
        '[webpush]\ncontact = "mailto:load@example.org"\nallow_loopback = true\nat_once = 1000\n'
    )


def _account(port: int) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return {
        "type": "service_account", "project_id": "load", "private_key_id": "1",
        "private_key": key.decode(), "client_email": "load@load.example.org", "client_id": "1",
        "token_uri": f"http://127.0.0.1:{port}/token",
    }  # fmt: skip


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
