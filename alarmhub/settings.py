"""What an installation sets: a TOML file, each value overridable from the environment.

`read` returns frozen settings or raises one `SettingsRefused` with every fault and its path. It guesses
nothing: an unknown key, a wrong type or a value out of range refuses the start. It opens no socket, no
database and no log. Every setting is explained, with its default, in `config/alarmhub.example.toml`; a test
holds the two together. What a site says (units, staff, policies) is not here but in the site file.

From the environment a setting is `ALARMHUB_SECTION__KEY` (`ALARMHUB_API__PORT=9080`); for the nth `[[espa]]`
link, counted from 0, `ALARMHUB_ESPA__0__LISTEN`, and so for every kind of link. Names without a double
underscore are not ours. The links of a protocol are described by its adapter, next to what they mean.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from alarmhub.core.drilling import DrillRules
from alarmhub.core.handsets import HandsetRules, MutedRule
from alarmhub.inbound.alertmanager import AlertmanagerLink
from alarmhub.inbound.callback import CallbackLink
from alarmhub.inbound.espa_settings import EspaLink, EspaSender
from alarmhub.inbound.espax_settings import EspaxLink
from alarmhub.inbound.hl7_settings import Hl7Link
from alarmhub.inbound.modbus_settings import ModbusLink
from alarmhub.inbound.mqtt_settings import MqttLink
from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.inbound.settings import LONGEST_FAULT_VALUE_CHARS, Name, Port
from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.inbound.smtp_settings import SmtpLink
from alarmhub.inbound.snpp_settings import SnppLink
from alarmhub.push.settings import ApnsSettings, FcmSettings, WebPushSettings
from alarmhub.secret import Secret, kept
from alarmhub.web.sign_in_settings import Oidc, SignIn

ENV_PREFIX: Final = "ALARMHUB_"
LOCAL_SECRET_FILE: Final = "press.secret"
_HOST: Final = re.compile(r"[A-Za-z0-9.\[\]:-]+")


class SettingsRefused(ValueError):
    """The settings cannot be used. `faults` lists all of them, each with its path."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("settings refused: " + "; ".join(faults))
        self.faults = faults


class HubSettings(Struct, frozen=True):
    """`[hub]`: which shard this process may write, and under which name it holds the lease."""

    shard: Name = "main"
    lease_ttl_s: Annotated[float, Meta(ge=0.5, le=60)] = 1.5
    name: Name | None = None
    loop: Literal["asyncio", "uvloop"] = "uvloop"

    def owner(self) -> str:
        """The name in the lease row; the machine's name unless one is set."""
        return self.name or socket.gethostname() or "hub"


class DatabaseSettings(Struct, frozen=True):
    """`[database]`: a PostgreSQL named by `dsn`, or the embedded one below `data_dir`."""

    dsn: Secret | None = None
    data_dir: Annotated[str, Meta(min_length=1)] | None = None
    command_timeout_s: Annotated[float, Meta(ge=0.5, le=60)] = 2.0

    def folder(self, environ: Mapping[str, str] | None = None, *, is_root: bool | None = None) -> Path:
        """The data folder: as set, `/var/lib/alarmhub` for root, below `$XDG_STATE_HOME` otherwise."""
        env = os.environ if environ is None else environ
        if self.data_dir is not None:
            return Path(self.data_dir).expanduser()
        if os.geteuid() == 0 if is_root is None else is_root:
            return Path("/var/lib/alarmhub")
        state = env.get("XDG_STATE_HOME", "")
        # The XDG specification has relative paths ignored.
        base = Path(state) if state.startswith("/") else Path("~/.local/state").expanduser()
        return base / "alarmhub"


class ApiSettings(Struct, frozen=True):
    """`[api]`: HTTP for sources, pages and programs. `secure`, `proxies`, `hosts`, `origins`: see the example
    file."""

    host: str = "127.0.0.1"
    port: Port = 8080
    body_limit: Annotated[int, Meta(ge=1024, le=1_048_576)] = 65_536  # bytes
    connections: Annotated[int, Meta(ge=1, le=100_000)] = 2000
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    local_metrics: bool = True
    secure: bool = False
    proxies: tuple[str, ...] = ()

    def faults(self) -> list[str]:
        """What these say against themselves: "KEY: why", each."""
        return [
            f"proxies: expected an address or a network, got {p}" for p in self.proxies if not _is_network(p)
        ]

    def url(self) -> str:
        """Where this machine's own programs find it; a wildcard address is reached over loopback."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class PhoneSettings(Struct, frozen=True):
    """`[phones]`: the gateway. A phone that misses its beats for `dead_after_s` is lost. `origins`,
    `public_url`: see the example file."""

    host: str = "127.0.0.1"
    port: Port = 8081
    beat_s: Annotated[float, Meta(ge=0.5, le=4.5)] = 3.0
    dead_after_s: Annotated[float, Meta(ge=1, le=9)] = 9.0
    hello_within_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    frame_limit: Annotated[int, Meta(ge=1024, le=1_048_576)] = 16_384  # bytes
    byte_budget: Annotated[int, Meta(ge=16_384, le=16_777_216)] = 262_144  # bytes unsent per phone
    faults_allowed: Annotated[int, Meta(ge=1, le=1000)] = 20
    origins: tuple[str, ...] = ()
    public_url: str = ""
    silent_after_s: Annotated[float, Meta(ge=30, le=3600)] = 120.0
    asleep_silent_after_s: Annotated[float, Meta(ge=600, le=86_400)] = 14_400.0
    muted: MutedRule = "warn"
    battery_low: Annotated[int, Meta(ge=1, le=50)] = 15  # percent
    battery_critical: Annotated[int, Meta(ge=1, le=50)] = 5  # percent

    def supervision(self) -> HandsetRules:
        """When something counts as wrong with a phone on duty."""
        return HandsetRules(
            silent_s=self.silent_after_s, asleep_s=self.asleep_silent_after_s, muted=self.muted,
            battery_low=self.battery_low, battery_critical=self.battery_critical,
        )  # fmt: skip


class DrillSettings(Struct, frozen=True):
    """`[drills]`: when units are drilled by themselves; times in seconds."""

    on_shift_start: bool = True
    on_change: bool = True
    receipt_within_s: Annotated[float, Meta(ge=5, le=100)] = 30.0
    settle_s: Annotated[float, Meta(ge=0, le=3600)] = 180.0
    gap_s: Annotated[float, Meta(ge=60, le=86_400)] = 1200.0
    pace_s: Annotated[float, Meta(ge=0.5, le=60)] = 2.0

    def rules(self) -> DrillRules:
        """As drills go by them."""
        return DrillRules(
            on_shift_start=self.on_shift_start, on_change=self.on_change, within_s=self.receipt_within_s,
            settle_s=self.settle_s, gap_s=self.gap_s, pace_s=self.pace_s,
        )  # fmt: skip


class LogSettings(Struct, frozen=True):
    """`[log]`: how much is said, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class Link(Protocol):
    """What the settings of every link have."""

    @property
    def source(self) -> str:
        """Id of the source in the site file; one link a source."""
        ...

    def faults(self) -> list[str]:
        """What its settings say against themselves: "KEY: why", each."""
        ...

    def listens(self) -> tuple[str, int] | None:
        """Host and port it listens on, None for one that does not; asked only of a link without faults."""
        ...


class Settings(Struct, frozen=True):
    """All sections. `Settings()` is what an empty file means."""

    hub: HubSettings = HubSettings()
    database: DatabaseSettings = DatabaseSettings()
    api: ApiSettings = ApiSettings()
    sign_in: SignIn = SignIn()
    oidc: Oidc = Oidc()
    phones: PhoneSettings = PhoneSettings()
    drills: DrillSettings = DrillSettings()
    log: LogSettings = LogSettings()
    apns: ApnsSettings = ApnsSettings()
    fcm: FcmSettings = FcmSettings()
    webpush: WebPushSettings = WebPushSettings()
    espa: tuple[EspaLink, ...] = ()
    espa_sender: tuple[EspaSender, ...] = ()
    espax: tuple[EspaxLink, ...] = ()
    callback: tuple[CallbackLink, ...] = ()
    hl7: tuple[Hl7Link, ...] = ()
    mqtt: tuple[MqttLink, ...] = ()
    modbus: tuple[ModbusLink, ...] = ()
    alertmanager: tuple[AlertmanagerLink, ...] = ()
    scaip: tuple[ScaipLink, ...] = ()
    smpp: tuple[SmppLink, ...] = ()
    snpp: tuple[SnppLink, ...] = ()
    smtp: tuple[SmtpLink, ...] = ()

    def by_protocol(self) -> dict[str, tuple[Any, ...]]:
        """The links of every protocol, in the order of `LINKS`."""
        return {name: getattr(self, name) for name in LINKS}


def read(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the file at `path` (none: all defaults), overridden by `environ` (default: the
    process's own). Raises SettingsRefused, also when the file cannot be read or is not TOML."""
    try:
        text = "" if path is None else path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as exc:
        raise SettingsRefused([f"{path}: {exc.strerror or exc}"]) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsRefused([f"{path}: not TOML: {exc}"]) from exc
    return parse(document, os.environ if environ is None else environ)


def parse(document: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """As `read`, from a parsed TOML document."""
    faults: list[str] = []
    tables, links = _tables(document, faults)
    raw = {name: _Raw(f"[{name}]", table) for name, table in tables.items()}
    raw_links = {
        name: [_Raw(f"[[{name}]] {index}", table) for index, table in enumerate(entries)]
        for name, entries in links.items()
    }
    _take_environment(environ, raw, raw_links, faults)
    sections = {name: _build(entry, _SECTIONS[name], faults) for name, entry in raw.items()}
    built: dict[str, Any] = {
        name: tuple(_build(entry, LINKS[name], faults) for entry in entries)
        for name, entries in raw_links.items()
    }
    if faults:
        raise SettingsRefused(faults)
    settings = Settings(**sections, **built)
    faults = _contradictions(settings)
    if faults:
        raise SettingsRefused(faults)
    return settings


def local_secret(data_dir: Path) -> Secret:
    """The secret by which commands on this machine (`press`) are known to the hub, made at first use in
    `data_dir` with mode 0600. Raises PermissionError when others may read it or we may not, and OSError when
    it cannot be had."""
    return kept(data_dir / LOCAL_SECRET_FILE, lambda: secrets.token_urlsafe(32))


_SECTIONS: Final[dict[str, type[Struct]]] = {
    "hub": HubSettings,
    "database": DatabaseSettings,
    "api": ApiSettings,
    "sign_in": SignIn,
    "oidc": Oidc,
    "phones": PhoneSettings,
    "drills": DrillSettings,
    "log": LogSettings,
    "apns": ApnsSettings,
    "fcm": FcmSettings,
    "webpush": WebPushSettings,
}


LINKS: Final[dict[str, type[Struct]]] = {
    "espa": EspaLink,
    "espa_sender": EspaSender,
    "espax": EspaxLink,
    "callback": CallbackLink,
    "hl7": Hl7Link,
    "mqtt": MqttLink,
    "modbus": ModbusLink,
    "alertmanager": AlertmanagerLink,
    "scaip": ScaipLink,
    "smpp": SmppLink,
    "snpp": SnppLink,
    "smtp": SmtpLink,
}
"""Arrays of tables: one entry a link to a source, by protocol. Each is a field of `Settings` too."""


class _Raw:
    """One table as written: its path for faults, its values, and what the environment puts over them."""

    def __init__(self, path: str, values: dict[str, Any]) -> None:
        self.path = path
        self.values = values
        self.overrides: dict[str, tuple[str, str]] = {}  # key → (variable, text)


def _tables(
    document: Mapping[str, Any], faults: list[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    tables: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    links: dict[str, list[dict[str, Any]]] = {name: [] for name in LINKS}
    for name, value in document.items():
        if name in LINKS:
            if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
                links[name] = value
            else:
                faults.append(f"[[{name}]]: expected an array of tables")
        elif name not in _SECTIONS:
            faults.append(
                f"[{name}]: unknown section" if isinstance(value, dict) else f"{name}: unknown setting"
            )
        elif not isinstance(value, dict):
            faults.append(f"[{name}]: expected a table")
        else:
            tables[name] = value
    return tables, links


def _take_environment(
    environ: Mapping[str, str], sections: dict[str, _Raw], links: dict[str, list[_Raw]], faults: list[str]
) -> None:
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        section, *keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
        target = sections.get(section)
        entries = links.get(section, [])
        if len(keys) == 2 and keys[0].isdecimal() and int(keys[0]) < len(entries):
            target = entries[int(keys[0])]
            keys = keys[1:]
        if target is None or len(keys) != 1:
            faults.append(f"{variable}: unknown setting")
        else:
            target.overrides[keys[0]] = (variable, environ[variable])


def _build(raw: _Raw, section: type[Struct], faults: list[str]) -> Any:
    """One section, or None after adding what is wrong with it to `faults`."""
    types = get_type_hints(section, include_extras=True)
    values: dict[str, Any] = {}
    before = len(faults)
    for key, value in raw.values.items():
        if key not in types:
            faults.append(f"{raw.path} {key}: unknown setting")
        elif key not in raw.overrides:
            _convert(value, types[key], f"{raw.path} {key}", values, key, faults, strict=True)
    for key, (variable, text) in raw.overrides.items():
        if key not in types:
            faults.append(f"{variable}: unknown setting")
        else:
            _convert(text, types[key], variable, values, key, faults, strict=False)
    for field in msgspec.structs.fields(section):
        given = field.name in raw.values or field.name in raw.overrides
        if field.required and not given:
            faults.append(f"{raw.path} {field.name}: missing")
    return section(**values) if len(faults) == before else None


def _convert(
    value: Any, type_: Any, path: str, into: dict[str, Any], key: str, faults: list[str], *, strict: bool
) -> None:
    try:
        into[key] = msgspec.convert(value, type_, strict=strict, dec_hook=_secret_hook)
    except msgspec.ValidationError as exc:
        faults.append(f"{path}: {_in_plain_words(str(exc), type_)}")


def _secret_hook(type_: type, value: Any) -> Any:
    if type_ is not Secret:
        raise NotImplementedError(f"no setting has the type {type_}")
    if not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
    return Secret(value)


def _in_plain_words(message: str, type_: Any) -> str:
    choices = _choices(type_)
    if choices and message.startswith("Invalid enum value"):
        got = message.removeprefix("Invalid enum value ")[:LONGEST_FAULT_VALUE_CHARS]
        return f"expected one of {', '.join(choices)}, got {got}"
    return message[:1].lower() + message[1:].replace("`", "")


def _choices(type_: Any) -> tuple[str, ...]:
    if get_origin(type_) is Literal:
        return get_args(type_)
    return ()


def _contradictions(settings: Settings) -> list[str]:
    """What each setting allows by itself and together cannot be."""
    faults = []
    phones = settings.phones
    if phones.dead_after_s < 2 * phones.beat_s:
        faults.append("[phones] dead_after_s: expected at least twice beat_s, one lost beat is no dead phone")
    if phones.battery_critical >= phones.battery_low:
        faults.append("[phones] battery_critical: expected less than battery_low")
    if phones.port and (phones.host, phones.port) == (settings.api.host, settings.api.port):
        faults.append("[phones] port: the same as [api] port")
    if phones.public_url and not _is_socket_url(phones.public_url):
        faults.append("[phones] public_url: expected ws:// or wss://, a host and a path")
    for name in ("api", "sign_in", "oidc", "apns", "fcm", "webpush"):
        faults += [f"[{name}] {fault}" for fault in getattr(settings, name).faults()]
    return faults + _link_contradictions(settings)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_socket_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is none raises; what stands in a Content-Security-Policy holds no other characters.
        sound = parts.port is None or 0 < parts.port < 65_536
    except ValueError:
        return False
    return (
        sound and parts.scheme in ("ws", "wss") and bool(_HOST.fullmatch(parts.netloc)) and bool(parts.path)
    )


def _link_contradictions(settings: Settings) -> list[str]:
    """What each link says against itself (its own `faults`), and two links against each other."""
    faults: list[str] = []
    sources: dict[str, str] = {}
    addresses: dict[object, str] = {}
    for name in LINKS:
        for index, link in enumerate(getattr(settings, name)):
            path = f"[[{name}]] {index}"
            own = link.faults()
            faults += [f"{path} {fault}" for fault in own]
            first = sources.setdefault(link.source, path)
            if first != path:
                faults.append(f"{path} source: the same as that of {first}")
            if own or (address := link.listens()) is None or not address[1]:
                continue
            first = addresses.setdefault(address, path)
            if first != path:
                faults.append(f"{path} listen: the same as that of {first}")
    return faults
