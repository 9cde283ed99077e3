"""The pages over real HTTP: what is there, with which headers, and what is not."""

from __future__ import annotations

from importlib.resources import files

import pytest

from alarmhub.web.pages import PAGES
from alarmhub.web.routes import ROUTES
from tests.support.web import running

PATHS = {route.name: route.path for route in ROUTES}


@pytest.mark.parametrize("name", sorted(PAGES))
async def test_a_page_comes_with_headers_that_keep_others_out(name: str) -> None:
    """No inline script, no other origin, no frame; connections only to the hub and its phone socket."""
    async with running() as (_hub, call):
        answer = await call("GET", PATHS[name].replace("{unit}", "201"), secret=None)
        again = await call(
            "GET", PATHS[name].replace("{unit}", "201"), secret=None,
            headers={"If-None-Match": answer.headers["ETag"]},
        )  # fmt: skip

    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("connect-src 'self' ws://127.0.0.1:8081")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (again.status, again.raw) == (304, b"")


async def test_every_file_of_the_folder_is_served_and_nothing_else() -> None:
    """A path is a name, never a way out of the folder."""
    names = [file.name for file in files("alarmhub.web").joinpath("static").iterdir()]
    async with running() as (_hub, call):
        served = [(await call("GET", f"/static/{name}", secret=None)).status for name in names]
        others = [
            (await call("GET", f"/static/{name}", secret=None)).status
            for name in ("nothing.js", "..%2Fpages.py", "%2e%2e", ".", "phone.js%00")
        ]

    assert served == [200] * len(names)
    assert others == [404] * len(others)


async def test_the_phone_app_is_told_where_its_socket_is() -> None:
    """Before anybody has signed in, and to everybody."""
    async with running() as (_hub, call):
        answer = await call("GET", "/api/v1/phone/config", secret=None)

    assert answer.status == 200
    version = answer.body["version"]
    assert len(version) == 16
    assert answer.body == {
        "version": version,
        "socket": "ws://127.0.0.1:8081/phone",
        "vapid_public": "",
        "sign_in": {"local": False, "passkeys": False, "oidc": False},
    }


def test_no_page_has_script_or_style_of_its_own() -> None:
    """What the policy forbids would silently not work."""
    for file in files("alarmhub.web").joinpath("static").iterdir():
        if file.name.endswith(".html"):
            text = file.read_text(encoding="utf-8")
            assert "<style" not in text
            assert " style=" not in text
            assert " on" + "click=" not in text
            assert "<script>" not in text
