"""The relying party's side of OpenID Connect, as far as it needs no I/O."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.oidc import (
    Discovered,
    authorization_url,
    challenge_of,
    claims_fault,
    discovery_url,
    is_safe_url,
    logout_url,
    own_path,
    read_discovery,
    texts_of,
)

ISSUER = "https://login.region.example"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}
GOOD: dict[str, Any] = {
    "iss": ISSUER, "aud": "alarmhub", "sub": "SE-1", "nonce": "n", "exp": 1000, "iat": 900,
}  # fmt: skip


def fault(now_s: float = 950, leeway_s: float = 0, **claims: Any) -> str:
    """What is wrong with the good token once this is changed; None takes a claim out."""
    changed = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return claims_fault(
        changed, issuer=ISSUER, client_id="alarmhub", nonce="n", now_s=now_s, leeway_s=leeway_s
    )


def test_a_token_of_ours_for_this_very_sign_in() -> None:
    """Issuer, audience, nonce, times; several audiences with us as the party."""
    assert fault() == ""
    assert fault(aud=["other", "alarmhub"], azp="alarmhub") == ""


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("iss", [None, "", ISSUER + "/", "https://evil.example", 7]),
        ("aud", [None, "", "other", [], ["other"], 7, {"alarmhub": 1}]),
        ("azp", ["other", "", 7]),
        ("nonce", [None, "", "m", 7, ["n"]]),
        ("exp", [None, "1000", True, -1, 1e15, float("nan"), [1000]]),
        ("iat", [None, "900", float("nan")]),
        ("nbf", [951, "x"]),
        ("sub", [None, "", 7, "x" * 256]),
    ],
)
def test_each_claim_that_does_not_hold_is_named(claim: str, values: list[Any]) -> None:
    """Whatever stands there instead."""
    assert [fault(**{claim: value}) for value in values] == [claim] * len(values)


def test_several_audiences_need_us_as_the_party() -> None:
    """Core 3.1.3.7, 4 and 5."""
    assert fault(aud=["alarmhub", "other"]) == "azp"


def test_times_on_both_sides_of_their_bounds() -> None:
    """With the leeway for the provider's clock."""
    assert [fault(now_s) for now_s in (999.9, 1000)] == ["", "exp"]
    assert [fault(now_s, 60) for now_s in (1059.9, 1060)] == ["", "exp"]
    assert [fault(now_s, 60) for now_s in (840, 839.9)] == ["", "iat"]


def test_no_nonce_of_ours_fits_no_token() -> None:
    """Not even one without."""
    assert claims_fault(GOOD | {"nonce": ""}, issuer=ISSUER, client_id="alarmhub", nonce="", now_s=950,
                        leeway_s=0) == "nonce"  # fmt: skip


def test_a_discovery_document_is_read() -> None:
    """What it need not say may be missing."""
    found = read_discovery(DOCUMENT, ISSUER)

    assert isinstance(found, Discovered)
    assert (found.token_endpoint, found.end_session_endpoint) == (f"{ISSUER}/token", "")
    assert discovery_url(ISSUER + "/") == f"{ISSUER}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issuer": ISSUER + "/"}, "speaks for the issuer"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"token_endpoint": ""}, "token_endpoint"),
        ({"token_endpoint": "http://login.region.example/token"}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"end_session_endpoint": "//evil"}, "end_session_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
    ],
)
def test_a_document_that_cannot_be_used_says_why(change: dict[str, Any], words: str) -> None:
    """In words for the doctor."""
    found = read_discovery(DOCUMENT | change, ISSUER)
    assert isinstance(found, str) and words in found


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*DOCUMENT, *GOOD, "azp"]), inner),
        max_leaves=10,
    )
)
def test_whatever_a_provider_says_nothing_raises(said: Any) -> None:
    """Documents and claims alike."""
    assert isinstance(read_discovery(said, ISSUER), str)
    if isinstance(said, dict):
        assert claims_fault(said, issuer=ISSUER, client_id="alarmhub", nonce="n", now_s=1, leeway_s=1)
        texts_of(said, "iss.aud.sub")


def test_pkce_as_the_rfc_has_it() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_where_browsers_are_sent() -> None:
    """With what the endpoint's own query says."""
    found = read_discovery(DOCUMENT | {"end_session_endpoint": f"{ISSUER}/out"}, ISSUER)
    assert isinstance(found, Discovered)
    url = authorization_url(
        found, client_id="alarmhub", redirect_uri="https://a.example/oidc/return", scope="openid",
        state="s&t", nonce="n", verifier="v" * 43,
    )  # fmt: skip
    query = parse_qs(urlsplit(url).query)

    assert url.startswith(f"{ISSUER}/auth?tenant=1&")
    assert (query["state"], query["code_challenge_method"], query["tenant"]) == (["s&t"], ["S256"], ["1"])
    assert "v" * 43 not in url
    assert logout_url(found, client_id="alarmhub", back="https://a.example/sign-in").startswith(
        f"{ISSUER}/out?client_id=alarmhub&post_logout_redirect_uri=https%3A%2F%2Fa.example"
    )


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example/x", True), ("http://127.0.0.1:8080", True), ("http://[::1]:1/x", True),
        ("http://a.example", False), ("ftp://a.example", False), ("https://", False), ("", False),
        ("https://user@a.example", False), ("https://[", False), ("https://a.example/#x", False),
    ],
)  # fmt: skip
def test_secrets_go_only_over_tls_or_on_this_machine(url: str, safe: bool) -> None:
    """Both sides."""
    assert is_safe_url(url) is safe


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/phone", "/phone"), ("/phone?x=1#y", "/phone?x=1#y"), ("", "/account"),
        ("//evil.example", "/account"), ("/\\evil.example", "/account"), ("/x\\y", "/account"),
        ("https://evil.example", "/account"), ("javascript:alert(1)", "/account"), ("phone", "/account"),
        ("/a\nb", "/account"), ("/a b", "/account"), ("/å", "/account"), ("/\t/evil.example", "/account"),
        ("/" + "a" * 512, "/account"), ("/" + "a" * 511, "/" + "a" * 511),
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(text: str, path: str) -> None:
    """Only to a path of ours."""
    assert own_path(text, "/account") == path


def test_a_claim_may_be_one_text_or_a_list_or_inside() -> None:
    """What is no text is nothing."""
    claims = {"groups": ["a", 7, "", "b"], "one": "x", "realm": {"roles": ["r"]}, "a.b": "dotted", "n": 7}

    assert texts_of(claims, "groups") == ("a", "b")
    assert texts_of(claims, "one") == ("x",)
    assert texts_of(claims, "realm.roles") == ("r",)
    assert texts_of(claims, "a.b") == ("dotted",)
    assert texts_of(claims, "n") == texts_of(claims, "none") == texts_of(claims, "one.x") == ()
