"""Settings are strict: what is wrong is named with its path, all of it at once, and nothing is guessed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alarmhub.inbound.espa_settings import Charset
from alarmhub.secret import Secret
from alarmhub.settings import (
    LINKS,
    DatabaseSettings,
    HubSettings,
    Settings,
    SettingsRefused,
    local_secret,
    parse,
    read,
)
from protocols.espa444_charset import CHARSETS

EXAMPLE = Path(__file__).parents[1] / "config" / "alarmhub.example.toml"
LINK = '[[espa]]\nsource = "plant-201"\nlisten = "127.0.0.1:2023"\n'


def faults(text: str, **environ: str) -> list[str]:
    """What is said about this file and environment; the test fails when it is accepted."""
    with pytest.raises(SettingsRefused) as refused:
        parse(tomllib.loads(text), environ)
    return refused.value.faults


def accepted(text: str = "", **environ: str) -> Settings:
    """The settings of this file and environment."""
    return parse(tomllib.loads(text), environ)


def test_an_empty_file_means_all_defaults() -> None:
    """Nothing need be set."""
    settings = accepted()

    assert settings == Settings()
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8080)
    assert (settings.phones.host, settings.phones.port) == ("127.0.0.1", 8081)
    assert settings.phones.dead_after_s <= 9


@pytest.mark.parametrize("url", ["ws://hub.example:8081/phone", "wss://[2001:db8::1]/phone"])
def test_the_socket_may_be_elsewhere_for_phones(url: str) -> None:
    """A proxy before the hub has a name and a path of its own."""
    assert accepted(f'[phones]\npublic_url = "{url}"\n').phones.public_url == url


@pytest.mark.parametrize(
    "url",
    ["https://hub.example/phone", "wss://hub.example", "hub.example/phone", "wss://x:99999/p", "wss://a;b/p"],
)
def test_what_is_no_socket_url_is_refused(url: str) -> None:
    """It would stand in the pages' Content-Security-Policy."""
    assert faults(f'[phones]\npublic_url = "{url}"\n')[0].startswith("[phones] public_url: expected ws://")


def test_a_file_is_taken_as_written() -> None:
    """Sections, links and numbers arrive; a whole number will do for seconds."""
    settings = accepted('[api]\nport = 9080\n[phones]\nbeat_s = 2\n[log]\nlevel = "debug"\n' + LINK)

    assert settings.api.port == 9080
    assert settings.phones.beat_s == 2.0
    assert settings.log.level == "debug"
    assert settings.espa[0].source == "plant-201"
    assert settings.espa[0].listens() == ("127.0.0.1", 2023)


def test_an_unknown_key_is_named_with_its_path() -> None:
    """A slip of the pen stops the start."""
    assert faults("[api]\nprot = 1\n") == ["[api] prot: unknown setting"]
    assert faults("[apy]\nport = 1\n") == ["[apy]: unknown section"]
    assert faults("port = 1\n") == ["port: unknown setting"]
    assert faults(LINK + "parity = 7\n") == ["[[espa]] 0 parity: unknown setting"]


def test_a_wrong_type_says_what_was_expected() -> None:
    """The path, what belongs there, and what stood there."""
    assert faults('[api]\nport = "8080"\n') == ["[api] port: expected int, got str"]
    assert faults("[database]\ndsn = 5\n") == ["[database] dsn: expected str, got int"]
    assert faults("api = 5\n") == ["[api]: expected a table"]
    assert faults('espa = "x"\n') == ["[[espa]]: expected an array of tables"]


def test_a_value_out_of_range_says_the_range() -> None:
    """Numbers have limits; words come from a list that is shown."""
    assert faults("[api]\nport = 70000\n") == ["[api] port: expected int <= 65535"]
    assert faults("[phones]\ndead_after_s = 30\n") == ["[phones] dead_after_s: expected float <= 9.0"]
    assert faults('[log]\nlevel = "loud"\n') == [
        "[log] level: expected one of debug, info, warning, error, got 'loud'"
    ]


def test_all_faults_are_told_at_once() -> None:
    """Nobody mends a file one start at a time."""
    told = faults(
        "[api]\nprot = 1\nport = true\n[phones]\nbeat_s = 'x'\n[[espa]]\n", ALARMHUB_LOG__LEVL="debug"
    )

    assert sorted(told) == [
        "ALARMHUB_LOG__LEVL: unknown setting",
        "[[espa]] 0 source: missing",
        "[api] port: expected int, got bool",
        "[api] prot: unknown setting",
        "[phones] beat_s: expected float, got str",
    ]


def test_the_environment_wins() -> None:
    """Each setting can be given as ALARMHUB_SECTION__KEY, in any section, in its own type."""
    settings = accepted(
        "[api]\nport = 9080\n" + LINK,
        ALARMHUB_API__PORT="9999",
        ALARMHUB_PHONES__BEAT_S="1.5",
        ALARMHUB_DATABASE__DSN="postgresql://x",
        ALARMHUB_ESPA__0__ACCEPTED_STATUS="true",
        ALARMHUB_VERSION="not ours",
        PATH="/bin",
    )

    assert settings.api.port == 9999
    assert settings.phones.beat_s == 1.5
    assert settings.database.dsn == Secret("postgresql://x")
    assert settings.espa[0].accepted_status is True


def test_the_environment_mends_a_faulty_file() -> None:
    """What is overridden is not judged."""
    assert accepted('[api]\nport = "x"\n', ALARMHUB_API__PORT="1234").api.port == 1234


def test_a_fault_in_the_environment_names_the_variable() -> None:
    """So that one knows where to look."""
    assert faults("", ALARMHUB_API__PORT="many") == ["ALARMHUB_API__PORT: expected int, got str"]
    assert faults("", ALARMHUB_APY__PORT="1") == ["ALARMHUB_APY__PORT: unknown setting"]
    assert faults("", ALARMHUB_ESPA__0__LISTEN="x:1") == ["ALARMHUB_ESPA__0__LISTEN: unknown setting"]


def test_contradictions_are_refused() -> None:
    """Values that are fine alone and impossible together."""
    assert "twice beat_s" in faults("[phones]\nbeat_s = 4\ndead_after_s = 5\n")[0]
    assert faults("[phones]\nport = 8080\n") == ["[phones] port: the same as [api] port"]
    assert faults(LINK + 'own_address = "1"\n') == ["[[espa]] 0 own_address: the same as control_address"]
    assert faults(LINK + LINK) == [
        "[[espa]] 1 source: the same as that of [[espa]] 0",
        "[[espa]] 1 listen: the same as that of [[espa]] 0",
    ]


@pytest.mark.parametrize("listen", ["2023", ":2023", "host:", "host:port", "host:70000", "host:²"])
def test_a_link_listens_on_host_and_port(listen: str) -> None:
    """Anything else is refused."""
    told = faults(f'[[espa]]\nsource = "p"\nlisten = "{listen}"\n')

    assert told == [f"[[espa]] 0 listen: expected host:port, got {listen!r}"]


def test_an_ipv6_address_stands_in_brackets() -> None:
    """The brackets are not part of the host."""
    (link,) = accepted('[[espa]]\nsource = "p"\nlisten = "[::1]:2023"\n').espa
    assert link.listens() == ("::1", 2023)


def test_two_links_may_both_take_a_free_port() -> None:
    """Port 0 is no clash."""
    text = '[[espa]]\nsource = "a"\nlisten = "127.0.0.1:0"\n[[espa]]\nsource = "b"\nlisten = "127.0.0.1:0"\n'

    assert len(accepted(text).espa) == 2


def test_the_dsn_never_prints() -> None:
    """Not in the settings, not in a fault."""
    settings = accepted('[database]\ndsn = "postgresql://u:hemligt@db/x"\n')

    assert "hemligt" not in f"{settings} {settings!r} {settings.database}"
    assert settings.database.dsn is not None
    assert settings.database.dsn.reveal() == "postgresql://u:hemligt@db/x"


def test_a_file_is_read(tmp_path: Path) -> None:
    """From disk, in UTF-8."""
    file = tmp_path / "alarmhub.toml"
    file.write_text('[hub]\nname = "nod-å"\n', encoding="utf-8")

    assert read(file, {}).hub.name == "nod-å"
    assert read(None, {}) == Settings()


@pytest.mark.parametrize("content", [b"[api", b"[api]\nport = \xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    """With its name."""
    file = tmp_path / "alarmhub.toml"
    file.write_bytes(content)

    with pytest.raises(SettingsRefused, match=r"alarmhub\.toml: not TOML"):
        read(file, {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that was named and is not there is no empty file."""
    with pytest.raises(SettingsRefused, match="No such file"):
        read(tmp_path / "none.toml", {})


def test_the_data_folder_follows_the_user() -> None:
    """Root's below /var/lib, others' below their state folder, or as set."""
    default = DatabaseSettings()

    assert default.folder({}, is_root=True) == Path("/var/lib/alarmhub")
    assert default.folder({"XDG_STATE_HOME": "/s"}, is_root=False) == Path("/s/alarmhub")
    assert (
        default.folder({"XDG_STATE_HOME": "s"}, is_root=False) == Path("~/.local/state/alarmhub").expanduser()
    )
    assert DatabaseSettings(data_dir="/d").folder({}, is_root=True) == Path("/d")


def test_the_lease_has_an_owner() -> None:
    """The name set, or the machine's."""
    assert HubSettings(name="hub-a").owner() == "hub-a"
    assert HubSettings().owner()


def test_charsets_are_those_of_the_codec() -> None:
    """A charset that can be set can be decoded, and the other way round."""
    assert set(Charset.__args__) == set(CHARSETS)  # type: ignore[attr-defined]


class TestPush:
    """What a provider's section says against itself is named with its section."""

    def test_each_provider_is_off_until_its_credentials_are_set(self) -> None:
        """An empty file pushes nowhere."""
        settings = accepted()

        assert not (settings.apns.on or settings.fcm.on or settings.webpush.on)

    def test_half_a_credential_is_refused_with_its_path(self) -> None:
        """Found at the start, not at the first alarm."""
        assert faults('[apns]\nkey_id = "K"\n[webpush]\ncontact = "it"\n') == [
            "[apns] key_file: missing; required with key_id, team_id and topic",
            "[webpush] contact: expected mailto:ADDRESS or https://HOST",
        ]

    def test_a_credential_may_come_from_the_environment(self) -> None:
        """As a secret, which does not print."""
        settings = accepted(ALARMHUB_FCM__SERVICE_ACCOUNT='{"type": "service_account"}')

        assert settings.fcm.on and "service_account" not in repr(settings.fcm.service_account)


class TestExampleFile:
    """`config/alarmhub.example.toml` tells the truth about every setting."""

    text = EXAMPLE.read_text(encoding="utf-8")

    def test_it_changes_nothing(self) -> None:
        """As delivered it says exactly the defaults."""
        assert read(EXAMPLE, {}) == Settings()

    def test_every_setting_stands_there_once(self) -> None:
        """In its section, explained by a comment above."""
        sections = re.split(r"^(?:# )?\[\[?(\w+)\]\]?$", self.text, flags=re.MULTILINE)
        found = {
            name: re.findall(r"^(?:# )?(\w+) = ", body, flags=re.MULTILINE)
            for name, body in zip(sections[1::2], sections[2::2], strict=True)
        }
        declared: dict[str, Any] = {
            field.name: [inner.name for inner in msgspec.structs.fields(field.type)]
            for field in msgspec.structs.fields(Settings)
            if field.name not in LINKS
        }
        for name, link in LINKS.items():
            declared[name] = [inner.name for inner in msgspec.structs.fields(link)]

        assert {name: sorted(keys) for name, keys in found.items()} == {
            name: sorted(keys) for name, keys in declared.items()
        }

    def test_the_commented_settings_are_valid(self) -> None:
        """Taking the `#` away gives a file that loads, in which each link says its defaults."""
        active = re.sub(r"^# (\[\[\w+\]\]|\w+ = )", r"\1", self.text, flags=re.MULTILINE)
        # The files it names are not on this machine; a line that may be had in three ways is had in one.
        tables = tomllib.loads(active)
        for name, link_type in LINKS.items():
            (link,) = tables[name]
            for field in msgspec.structs.fields(link_type):
                serial = ("serial", "expected_every_s") if name == "espa" else ("serial",)
                another_way = field.name in ("connect", *serial) and "listen" in link
                if field.name.endswith("_file") or another_way:
                    link.pop(field.name)
                elif not field.required and field.default is not None:
                    default = msgspec.json.decode(msgspec.json.encode(field.default))
                    assert link[field.name] == default, f"[[{name}]] {field.name}"
        for name in ("apns", "fcm", "webpush"):
            tables[name] |= {key: str(EXAMPLE) for key in tables[name] if key.endswith("_file")}
        settings = parse(tables, {})
        assert [len(getattr(settings, name)) for name in LINKS] == [1] * len(LINKS)
        assert settings.apns.on and settings.fcm.on and settings.webpush.on
        assert settings.database.dsn is not None
        assert settings.hub.name is not None

    def test_every_setting_is_explained(self) -> None:
        """A comment stands above each, or above the one before it in the same breath."""
        lines = self.text.splitlines()
        for number, line in enumerate(lines):
            if re.match(r"^(# )?\w+ = ", line):
                above = lines[number - 1]
                assert above.startswith("#") or " = " in above, line


class TestLocalSecret:
    """The secret by which `press` is known to the hub of the same machine."""

    def test_it_is_made_once_and_kept_private(self, tmp_path: Path) -> None:
        """The second reader gets the same; nobody else can read it; no draft stays behind."""
        folder = tmp_path / "data"
        first = local_secret(folder)

        assert len(first.reveal()) >= 32
        assert local_secret(folder) == first
        assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [
            ("press.secret", 0o600)
        ]

    def test_one_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        """It is no secret any more."""
        local_secret(tmp_path)
        (tmp_path / "press.secret").chmod(0o644)

        with pytest.raises(PermissionError, match="can be read by others"):
            local_secret(tmp_path)

    def test_two_installations_have_two_secrets(self, tmp_path: Path) -> None:
        """It is random."""
        assert local_secret(tmp_path / "a") != local_secret(tmp_path / "b")
