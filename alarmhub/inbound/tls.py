"""TLS of a line: contexts from the files its settings name.

It refuses anything below TLS 1.2, to go without checking a server it connects to, and to keep or show a key.
"""

from __future__ import annotations

import ssl


def server_context(cert: str, key: str, *, client_ca: str | None = None) -> ssl.SSLContext:
    """For a door: its certificate chain and key; with `client_ca` only peers with a certificate of that
    authority come in. Raises OSError (ssl.SSLError is one) when a file cannot be read or used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    ca: str | None = None, *, cert: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """For a connection we open: the server's name and chain are checked, against `ca` or the system's
    authorities. Raises OSError as above."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context
