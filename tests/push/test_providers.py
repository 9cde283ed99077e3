"""Those whose credentials are set, by name; and the proof that the doctor asks for."""

from __future__ import annotations

import os
from pathlib import Path

from alarmhub.clock import MonotonicClock
from alarmhub.push.providers import checked, providers, vapid_public
from alarmhub.push.settings import ApnsSettings, FcmSettings, WebPushSettings
from alarmhub.push.vapid import VapidKey
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.support.apns_server import Answer, apns_server
from tests.support.push_site import push_site
from tests.support.waiting import until


async def test_none_is_set_by_default(tmp_path: Path) -> None:
    """And none is made."""
    crew = Crew("test")
    made = providers(
        ApnsSettings(), FcmSettings(), WebPushSettings(), data_dir=tmp_path, clock=MonotonicClock(), crew=crew
    )
    assert made == {} and await checked(made) == {} and not os.listdir(tmp_path)
    assert await crew.close()


async def test_each_is_asked_and_let_go(tmp_path: Path, p8: str) -> None:
    """What is wrong with one is said of that one; afterwards nothing is left running."""
    crew = Crew("test")
    async with apns_server() as apple, push_site() as firebase:
        apple.fate = lambda asked: Answer(400, "BadDeviceToken")
        made = providers(
            ApnsSettings(key=Secret(p8), key_id="K", team_id="T", topic="t", endpoint=apple.url),
            FcmSettings(service_account=Secret("{}"), endpoint=firebase.url),
            WebPushSettings(contact="mailto:it@hospital.example"),
            data_dir=tmp_path,
            clock=MonotonicClock(),
            crew=crew,
        )
        assert vapid_public(made.values()) == ""
        found = await checked(made)
        assert vapid_public(made.values()) == VapidKey(tmp_path).public
        assert list(found) == ["apns", "fcm", "webpush"] and found["apns"] == found["webpush"] == []
        assert found["fcm"][0].startswith("service_account: expected ")
        await until(lambda: not apple.open)
    assert len(crew) == 0 and await crew.close()
