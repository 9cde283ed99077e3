"""The commands (design.md section 5). Exit 0 only on success; errors are one clear line on standard error.

It refuses to hold logic of its own: each command reads its arguments, calls the part that knows, and says
what came of it.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from alarmhub import account as accounts
from alarmhub import drill as drills
from alarmhub import handed_out, logs
from alarmhub import site as site_files
from alarmhub.app import App
from alarmhub.clock import MonotonicClock
from alarmhub.core.kinds import Kind
from alarmhub.core.site import Site
from alarmhub.demo.live import run_live
from alarmhub.demo.once import run_once
from alarmhub.doctor import examined
from alarmhub.findings import Level
from alarmhub.gateway.tokens import digest_of
from alarmhub.installation import opened
from alarmhub.ports import Token
from alarmhub.press import PressFailed, Watch, button, reached
from alarmhub.secret import Secret
from alarmhub.settings import LOCAL_SECRET_FILE, Settings, local_secret
from alarmhub.store.postgres import PostgresStore
from alarmhub.terminal import Commands, fail, run, settings_of
from alarmhub.trial import TrialFailed, asked, lines, walk_lines
from alarmhub.web.board_door import PUBLIC, STAFF, board_url
from alarmhub.web.register import AccountRefused

API_SCOPES = (
    "alarms:read", "boards:read", "alarms:answer", "drills:read", "drills:write", "metrics:read",
    "signals:write", "trials:write",
)  # fmt: skip

_T = TypeVar("_T")

_config = click.option(
    "--config", "config", type=click.Path(path_type=Path, dir_okay=False), default=None,
    help="Settings file (TOML); without it the defaults and the environment count.",
)  # fmt: skip


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Alarmhub takes calls and alarms in and rings the right phones."""


@main.command()
@_config
def serve(config: Path | None) -> None:
    """Run the hub until it is told to stop."""
    settings = settings_of(config)
    sys.exit(run(App(settings).run(), loop=settings.hub.loop))


@main.command()
@click.option("--once", is_flag=True, help="Play the scenario from beginning to end, judge it, and stop.")
def demo(once: bool) -> None:
    """A hospital to watch: hub, database, call plants and phones at work, all on this machine."""
    settings = settings_of(None)
    sys.exit(0 if run(run_once(settings) if once else run_live(settings)) else 1)


@main.command()
@click.argument("place")
@click.option(
    "--kind", type=click.Choice([str(k) for k in Kind]), help="Default: what the place usually calls."
)
@click.option("--type", "type_", help="The site's own name for the alarm, instead of a kind.")
@click.option("--source", help="Which source speaks. Default: the one that serves the place's unit.")
@_config
def press(place: str, kind: str | None, type_: str | None, source: str | None, config: Path | None) -> None:
    """Press a button at PLACE, and watch that one alarm until somebody accepts it."""
    settings = settings_of(config)
    logs.configure(level="error", format=settings.log.format)
    try:
        run(_press(settings, place, kind, type_, source))
    except PressFailed as exc:
        fail(str(exc))


async def _press(
    settings: Settings, place: str, kind: str | None, type_: str | None, source: str | None
) -> None:
    url = settings.api.url()
    await reached(url)
    secret = _local_secret(settings)
    async with opened(settings) as store:
        published = await store.site()
    if published is None:
        raise PressFailed("no site has been loaded yet: alarmhub site load FILE")
    wanted = button(published, place, kind, type_, source)
    await Watch(url, secret.reveal(), click.echo).press_until_accepted(wanted)


@main.command()
@_config
def doctor(config: Path | None) -> None:
    """Look at everything an installation needs; exit 0 only if nothing has failed."""
    settings = settings_of(config)
    logs.configure(level="error", format=settings.log.format)
    click.echo(f"{'ok':<4}  {'settings':<18}  {config or 'defaults and environment'}")
    failed = False
    for finding in run(examined(settings)):
        failed = failed or finding.level is Level.FAIL
        click.echo(f"{finding.level:<4}  {finding.what:<18}  {finding.text}")
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("unit")
@click.option("--heard", is_flag=True, help="Phones show and speak PROV; else they stay silent.")
@_config
def drill(unit: str, heard: bool, config: Path | None) -> None:
    """Drill every phone on duty in UNIT, and wait; exit 0 only if every way to every phone was good."""
    settings = settings_of(config)
    logs.configure(level="error", format=settings.log.format)
    try:
        secret = _local_secret(settings).reveal()
        done = run(drills.drilled(settings.api.url(), secret, unit, heard=heard))
    except (drills.DrillFailed, PressFailed) as exc:
        fail(str(exc))
    for line in drills.lines(done):
        click.echo(line)
    sys.exit(0 if drills.good(done) else 1)


@main.group()
def site() -> None:
    """Check, publish or write out the site file."""


def _checked(file: Path) -> Site:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        fail(f"{file}: {exc}")
    checked = site_files.check(text)
    if isinstance(checked, list):
        for fault in checked:
            click.echo(f"{file}: {fault.path}: {fault.message}", err=True)
        fail(f"{file}: refused, {len(checked)} fault(s); nothing was changed")
    return checked


_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@site.command("check")
@_FILE
def site_check(file: Path) -> None:
    """Check a site file as a whole, its sample telegrams included."""
    checked = _checked(file)
    samples = sum(len(s.samples) for s in checked.sources.values())
    click.echo(
        f"{file}: good: {len(checked.units)} units, {len(checked.places)} places, "
        f"{len(checked.staff)} staff, {len(checked.sources)} sources, "
        f"{samples} sample telegrams map as they should"
    )


@site.command("load")
@_FILE
@_config
def site_load(file: Path, config: Path | None) -> None:
    """Publish a site file: new versions of what changed, unless that would orphan an open alarm."""
    checked = _checked(file)
    version = run(_load(settings_of(config), checked, file))
    click.echo(f"{file}: published as version {version}")


async def _load(settings: Settings, checked: Site, file: Path) -> int:
    async with opened(settings) as store:
        return await publish(store, checked, MonotonicClock().now(), str(file))


async def publish(store: PostgresStore, checked: Site, now: int, name: str) -> int:
    """Store a checked site as the newest version, or exit with every fault if it would orphan an alarm."""
    previous = await store.site()
    loaded = await store.load(now)
    published = site_files.publish(previous, checked, {a.unit for a in loaded.alarms})
    if isinstance(published, list):
        for fault in published:
            click.echo(f"{name}: {fault.path}: {fault.message}", err=True)
        fail(f"{name}: refused, {len(published)} fault(s); nothing was changed")
    policies = [
        (p.name, p.version, msgspec.json.encode(p)) for p in site_files.new_policies(previous, published)
    ]
    return await store.publish_site(site_files.to_json(published), policies, now)


@site.command("dump")
@_FILE
@_config
def site_dump(file: Path, config: Path | None) -> None:
    """Write the published site to FILE ("-" for standard output)."""
    text = run(_dump(settings_of(config)))
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as exc:
            fail(str(exc))


async def _dump(settings: Settings) -> str:
    async with opened(settings) as store:
        published = await store.site()
    if published is None:
        fail("no site has been loaded yet")
    return site_files.dump(published)


def _local_secret(settings: Settings) -> Secret:
    folder = settings.database.folder()
    if not (folder / LOCAL_SECRET_FILE).exists():
        raise PressFailed(
            f"no secret in {folder}; give the hub's --config, "
            "or set ALARMHUB_DATABASE__DATA_DIR to its data folder"
        )
    try:
        return local_secret(folder)
    except OSError as exc:
        raise PressFailed(str(exc)) from exc


_MINUTES = click.option("--minutes", type=float, default=60.0, show_default=True, help="At most 120.")
_BY = click.option("--by", required=True, help="Staff id of who answers for it.")


@main.group()
def trial() -> None:
    """Test mode, maintenance of a source, and walk tests (gångprov)."""


def _tried(config: Path | None, path: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    settings = settings_of(config)
    logs.configure(level="error", format=settings.log.format)
    try:
        return run(asked(settings.api.url(), _local_secret(settings).reveal(), path, body))
    except (TrialFailed, PressFailed) as exc:
        fail(str(exc))


@trial.command("list")
@_config
def trial_list(config: Path | None) -> None:
    """What is a trial now, or announced."""
    for line in lines(_tried(config)):
        click.echo(line)


@trial.command("test")
@click.option("--source", help="All that this source sends.")
@click.option("--place", help="All that comes from this place and below it.")
@click.option("--heard", is_flag=True, help="Phones show and speak PROV; else they stay silent.")
@_MINUTES
@_BY
@_config
def trial_test(
    source: str | None, place: str | None, heard: bool, minutes: float, by: str, config: Path | None
) -> None:
    """Begin test mode; emergency, team and assault ring as ever."""
    body = {"source": source, "place": place, "heard": heard, "minutes": minutes, "by": by}
    click.echo(f"test {_tried(config, '', body)['id']}: under way")


@trial.command("maintenance")
@click.argument("source")
@click.option("--note", default="", help="For the banner on the units' phones.")
@_MINUTES
@_BY
@_config
def trial_maintenance(source: str, note: str, minutes: float, by: str, config: Path | None) -> None:
    """SOURCE is worked on from now: its silence is no alarm until the end."""
    body = {"source": source, "note": note, "minutes": minutes, "by": by}
    click.echo(f"maintenance of {_tried(config, '/maintenance', body)['source']}: under way")


@trial.command("walk")
@click.argument("source")
@_MINUTES
@_BY
@_config
def trial_walk(source: str, minutes: float, by: str, config: Path | None) -> None:
    """Begin a walk test of SOURCE's points."""
    for line in walk_lines(_tried(config, "/walk", {"source": source, "minutes": minutes, "by": by})):
        click.echo(line)


@trial.command("tick")
@click.argument("source")
@click.argument("place")
@_config
def trial_tick(source: str, place: str, config: Path | None) -> None:
    """The pressed point PLACE of SOURCE does what it should."""
    for line in walk_lines(_tried(config, "/walk/tick", {"source": source, "place": place})):
        click.echo(line)


@trial.command("end")
@click.argument("what", type=click.Choice(["test", "maintenance", "walk"]))
@click.argument("which", metavar="ID|SOURCE")
@_config
def trial_end(what: str, which: str, config: Path | None) -> None:
    """End a test by its id, or a SOURCE's maintenance or walk."""
    path = "/end" if what == "test" else f"/{what}/end"
    _tried(config, path, {"id" if what == "test" else "source": which})
    click.echo(f"{what} {which}: ended")


@main.group()
def account() -> None:
    """Who can sign in. Each secret is printed once and must be replaced at the first sign-in."""


_STAFF = click.argument("staff", metavar="STAFF_ID")


def _changed(config: Path | None, work: Callable[[Settings], Coroutine[Any, Any, _T]]) -> _T:
    settings = settings_of(config)
    logs.configure(level="error", format=settings.log.format)
    try:
        return run(work(settings))
    except AccountRefused as exc:
        fail(f"account: {exc}")


@account.command("add")
@_STAFF
@click.option("--login", default="", help="Default: the staff id.")
@click.option("--external", default="", help="HSA identity by which the hospital's sign-in knows the person.")
@_config
def account_add(staff: str, login: str, external: str, config: Path | None) -> None:
    """An account for a person of the site; prints login and one-time password."""
    login, secret = _changed(config, lambda settings: accounts.added(settings, staff, login, external))
    click.echo(f"{login}\t{secret.reveal()}")


@account.command("reset")
@_STAFF
@_config
def account_reset(staff: str, config: Path | None) -> None:
    """A new one-time password; passkeys and signed-in browsers of before are gone."""
    login, secret = _changed(config, lambda settings: accounts.reset(settings, staff))
    click.echo(f"{login}\t{secret.reveal()}")


@account.command("disable")
@_STAFF
@_config
def account_disable(staff: str, config: Path | None) -> None:
    """This person signs in no more, and is signed out everywhere. Phones ring on."""
    _changed(config, lambda settings: accounts.disabled(settings, staff))
    click.echo(f"{staff}: disabled")


@account.command("list")
@_config
def account_list(config: Path | None) -> None:
    """Staff id, name, login, state and roles of every account."""
    for line in _changed(config, accounts.listed):
        click.echo(line)


@main.group()
def device() -> None:
    """Enrolled phones: which there are, and how one is revoked."""


@device.command("list")
@_config
def device_list(config: Path | None) -> None:
    """Id, label, carrier, home and last sight of every phone that is not revoked."""
    for line in _changed(config, handed_out.listed):
        click.echo(line)


@device.command("revoke")
@click.argument("id", metavar="ID")
@_config
def device_revoke(id: str, config: Path | None) -> None:
    """A phone is lost: its secret opens nothing any more, and its socket closes."""
    if not _changed(config, lambda settings: handed_out.revoked(settings, id)):
        fail(f'device: no enrolled phone has the id "{id}": alarmhub device list')
    click.echo(f"{id}: revoked")


@main.group()
def token() -> None:
    """Make a new secret for a source, a phone or a program; it is printed once and stored nowhere."""


@token.command("source")
@click.argument("ids", nargs=-1, metavar="ID...")
@_config
def token_source(ids: tuple[str, ...], config: Path | None) -> None:
    """A secret with which source ID posts its signals."""
    _make(settings_of(config), "source", ids, ())


@token.command("phone")
@click.argument("ids", nargs=-1, metavar="STAFF_ID...")
@click.option("--all", "everybody", is_flag=True, help="One for every person and desk of the site.")
@_config
def token_phone(ids: tuple[str, ...], everybody: bool, config: Path | None) -> None:
    """A secret with which the phone of STAFF_ID signs in."""
    _make(settings_of(config), "phone", ids, (), everybody=everybody)


@token.command("api")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(API_SCOPES), help="May be given again.")
@_config
def token_api(name: str, scopes: tuple[str, ...], config: Path | None) -> None:
    """A secret for another program, with the given scopes (default: alarms:read)."""
    _make(settings_of(config), "api", (name,), scopes or ("alarms:read",))


@token.command("board")
@click.argument("unit", metavar="UNIT")
@click.option("--public", is_flag=True, help="Where patients and visitors see it: no staff, counts only.")
@_config
def token_board(unit: str, public: bool, config: Path | None) -> None:
    """The address, with its secret, that a screen on the wall of UNIT opens."""
    settings = settings_of(config)
    ((_, secret),) = run(_make_tokens(settings, "board", (unit,), (PUBLIC if public else STAFF,), False))
    click.echo(board_url(settings.api.url(), unit, secret))


def _make(
    settings: Settings, kind: str, ids: tuple[str, ...], scopes: tuple[str, ...], *, everybody: bool = False
) -> None:
    made = run(_make_tokens(settings, kind, ids, scopes, everybody))
    for subject, secret in made:
        click.echo(secret if len(made) == 1 and not everybody else f"{subject}\t{secret}")


_CALLED = {"phone": "person or desk", "board": "unit"}


async def _make_tokens(
    settings: Settings, kind: str, ids: tuple[str, ...], scopes: tuple[str, ...], everybody: bool
) -> list[tuple[str, str]]:
    async with opened(settings) as store:
        published = await store.site()
        known = _known(published, kind)
        if everybody:
            ids = tuple(known or ())
        if not ids:
            fail(f"token {kind}: expected at least one id")
        for id in ids:
            if known is not None and id not in known:
                fail(f'token {kind}: the site has no {_CALLED.get(kind, kind)} "{id}"')
        made = [(id, secrets.token_urlsafe(24)) for id in ids]
        tokens = [Token(digest_of(secret), kind, id, scopes) for id, secret in made]
        await store.add_tokens(tokens, MonotonicClock().now())
    return made


def _known(published: Site | None, kind: str) -> list[str] | None:
    if kind == "api":
        return None
    if published is None:
        fail("no site has been loaded yet: alarmhub site load FILE")
    known: dict[str, Iterable[str]] = {"phone": published.staff, "board": published.units}
    return list(known.get(kind, published.sources))
