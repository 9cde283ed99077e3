"""Which push services may be named, and where their names may lead."""

from __future__ import annotations

import itertools
import re

import pytest
from yarl import URL

from alarmhub.push.endpoints import endpoint_fault, is_public, origin, service
from alarmhub.push.settings import WebPushSettings

LISTED = WebPushSettings(hosts=("push.example", "*.push.example"))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1",
        "192.168.1.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
        "ff02::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:0a00:0001::1",
    ],
)  # fmt: skip
def test_inside_is_inside_whatever_it_is_wrapped_in(address: str) -> None:
    """Private, loopback, link-local, shared, multicast; in IPv4, or in IPv6 that leads there."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2a00:1450:400f:80d::200a", "64:ff9b::93.184.216.34"])
def test_the_open_network_is_public(address: str) -> None:
    """Also through a NAT64."""
    assert is_public(address)


def test_names_below_one_pattern_are_one_service() -> None:
    """The pattern does not stand for the name above."""
    assert service("push.example", LISTED) == "push.example"
    assert service("a.push.example", LISTED) == service("b.c.push.example", LISTED) == "*.push.example"
    assert service("xpush.example", LISTED) == service(".push.example.evil", LISTED) == ""
    only_below = WebPushSettings(hosts=("*.push.example",))
    assert service("push.example", only_below) == service(".push.example", only_below) == ""


def test_the_host_counts_in_any_case() -> None:
    """And is the same service to which the hub proves itself."""
    assert endpoint_fault("https://PUSH.example/x", LISTED) is None
    assert origin("https://PUSH.example/x") == "https://push.example"
    assert origin("https://push.example:/x") == origin("https://push.example:443/x") == "https://push.example"
    assert origin("http://127.0.0.1:8/x") == "http://127.0.0.1:8"


def test_this_machine_only_where_it_is_allowed() -> None:
    """For tests."""
    allowed = WebPushSettings(allow_loopback=True)
    for endpoint in ("http://127.0.0.1:8080/p", "https://localhost/p"):
        assert endpoint_fault(endpoint, allowed) is None
        assert endpoint_fault(endpoint, WebPushSettings()) is not None
    assert endpoint_fault("http://10.0.0.1/p", allowed) is not None


def test_whatever_is_taken_leads_to_a_listed_host() -> None:
    """By the parser of what calls it, too; and can be signed for."""
    before = [
        "",
        "a.",
        "A.",
        "u:p@",
        "@",
        "evil.example/",
        "evil.example#@",
        "evil.example\\",
        "[::1]@",
        "%2f",
        ".",
    ]
    after = ["", "/", "/x", ":443/x", ":/x", "?q", "#f", "\\@evil.example", "@evil.example/", ".evil.example",
             "%00", ":443@evil.example/x", "%2fevil.example", "/../x", "//evil.example"]  # fmt: skip
    taken = set()
    for scheme, head, tail in itertools.product(("https://", "http://", "https:///", "//"), before, after):
        endpoint = f"{scheme}{head}push.example{tail}"
        if endpoint_fault(endpoint, LISTED) is None:
            taken.add(endpoint)
            assert URL(endpoint).scheme == "https" and URL(endpoint).port == 443
            assert (URL(endpoint).host or "").endswith("push.example")
            assert re.fullmatch(r"https://[^/:]+", origin(endpoint))
    assert {"https://push.example/x", "https://a.push.example:443/x", "https://push.example?q"} <= taken
    assert not [endpoint for endpoint in taken if "@" in endpoint.split("/")[2]]
