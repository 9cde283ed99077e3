"""The commands as people type them: what they print, how they end, one clear line for each fault."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alarmhub.cli import main
from alarmhub.demo.ground import demo_site
from tests.support.folders import below_tmp

ROOT = Path(__file__).parents[1]
DEMO = str(ROOT / "config" / "demo.toml")
NOWHERE = "postgresql://x@127.0.0.1:1/x"


class Terminal:
    """Runs commands on one database, in one data folder."""

    def __init__(self, dsn: str | None, folder: Path) -> None:
        self.env = {
            "ALARMHUB_DATABASE__DATA_DIR": str(folder),
            "ALARMHUB_API__PORT": "9",
            "ALARMHUB_LOG__LEVEL": "error",
        }
        if dsn is not None:
            self.env["ALARMHUB_DATABASE__DSN"] = dsn

    def __call__(self, *words: str, **env: str) -> Result:
        """Type a command; its output, apart, and its exit code."""
        return CliRunner().invoke(main, words, env={**self.env, **env})


@pytest.fixture
def type_(database_dsn: str, tmp_path: Path) -> Terminal:
    """A terminal on a fresh database."""
    return Terminal(database_dsn, tmp_path)


def refused(result: Result) -> list[str]:
    """The lines of a command that refused: exit 1, standard output empty, every line ours."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines
    return lines


def test_help_names_every_command() -> None:
    """The contract's commands."""
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    for command in ("serve", "demo", "site", "token", "press", "doctor", "drill"):
        assert f"  {command} " in result.stdout


@pytest.mark.parametrize(
    "words", [("serve",), ("doctor",), ("press", "201/1"), ("site", "dump", "-"), ("demo",)]
)
def test_wrong_settings_are_refused_one_line_each(words: tuple[str, ...], type_: Terminal) -> None:
    """Before anything is opened."""
    result = type_(*words, ALARMHUB_API__PORT="many", ALARMHUB_API__PRT="1")

    lines = refused(result)
    assert len(lines) == 2
    assert any("ALARMHUB_API__PRT: unknown setting" in line for line in lines)
    assert all(line.startswith("alarmhub: ") for line in lines)


# site


def test_a_good_site_file_is_called_good() -> None:
    """With what is in it."""
    result = CliRunner().invoke(main, ["site", "check", DEMO])

    assert result.exit_code == 0
    assert "good: 30 units" in result.stdout and "sample telegrams map as they should" in result.stdout


def test_every_fault_of_a_bad_site_file_has_its_line(tmp_path: Path) -> None:
    """And its path; nothing is changed."""
    bad = tmp_path / "bad.toml"
    bad.write_text('site = "x"\nname = "X"\n[[unit]]\nid = "u"\nname = "U"\nlast_resort = ["staff:nobody"]\n')

    lines = refused(CliRunner().invoke(main, ["site", "check", str(bad)]))

    assert any("unit[0].last_resort[0]" in line for line in lines)
    assert lines[-1].endswith("nothing was changed")


@pytest.mark.parametrize("command", ["check", "load"])
def test_a_site_file_that_is_not_there_is_one_line(command: str, type_: Terminal, tmp_path: Path) -> None:
    """No traceback."""
    [line] = refused(type_("site", command, str(tmp_path / "none.toml")))

    assert "none.toml" in line


def test_a_site_is_loaded_and_written_out_again(type_: Terminal, tmp_path: Path) -> None:
    """Version 1, then 2; what is dumped checks back."""
    assert type_("site", "load", DEMO).stdout.endswith("published as version 1\n")
    assert type_("site", "load", DEMO).stdout.endswith("published as version 2\n")
    copy = tmp_path / "copy.toml"

    assert type_("site", "dump", str(copy)).exit_code == 0
    assert type_("site", "dump", "-").stdout == copy.read_text()
    assert type_("site", "check", str(copy)).exit_code == 0


def test_without_a_site_there_is_nothing_to_dump(type_: Terminal) -> None:
    """One line."""
    assert refused(type_("site", "dump", "-")) == ["alarmhub: no site has been loaded yet"]


# token


def test_a_token_is_printed_once_and_alone(type_: Terminal) -> None:
    """Ready to be pasted; another one the next time."""
    type_("site", "load", DEMO)
    first = type_("token", "source", "http-plant")
    second = type_("token", "source", "http-plant")

    assert first.exit_code == second.exit_code == 0
    assert len(first.stdout.split()) == 1 and len(first.stdout.strip()) >= 32
    assert first.stdout != second.stdout


def test_tokens_for_everybody_come_with_their_names(type_: Terminal) -> None:
    """A line each, the id before the secret."""
    type_("site", "load", DEMO)
    lines = type_("token", "phone", "--all").stdout.splitlines()

    assert len(lines) == len(demo_site().staff)
    assert all(line.count("\t") == 1 for line in lines)
    assert type_("token", "phone", "anna.berglund").exit_code == 0


def test_a_program_gets_a_token_without_a_site(type_: Terminal) -> None:
    """With the scopes it asks for, of those there are."""
    assert type_("token", "api", "board", "--scope", "alarms:read").exit_code == 0
    assert type_("token", "api", "board", "--scope", "everything").exit_code == 2


def test_a_boards_address_is_printed_once_with_its_secret_in_the_fragment(type_: Terminal) -> None:
    """What a screen on the wall opens, for staff or for everybody; only of a unit the site has."""
    assert type_("site", "load", DEMO).exit_code == 0
    staff, public = type_("token", "board", "201"), type_("token", "board", "201", "--public")
    pattern = r"http://127\.0\.0\.1:\d+/board/201#[\w-]{32}\n"
    assert re.fullmatch(pattern, staff.stdout), staff.output
    assert re.fullmatch(pattern, public.stdout), public.output
    assert staff.stdout != public.stdout
    [unknown] = refused(type_("token", "board", "299"))
    assert 'the site has no unit "299"' in unknown


def test_tokens_for_nobody_are_refused(type_: Terminal) -> None:
    """No site yet, an unknown person, none at all."""
    [no_site] = refused(type_("token", "phone", "anna.berglund"))
    type_("site", "load", DEMO)
    [unknown] = refused(type_("token", "phone", "anna.bergman"))
    [nobody] = refused(type_("token", "source"))

    assert "no site has been loaded" in no_site
    assert 'no person or desk "anna.bergman"' in unknown
    assert "expected at least one id" in nobody


# a database that is away, a hub that is not there


@pytest.mark.parametrize("words", [("site", "load", DEMO), ("site", "dump", "-"), ("token", "api", "x")])
def test_a_database_that_is_away_is_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    """Not a hang, not a traceback."""
    [line] = refused(Terminal(NOWHERE, tmp_path)(*words))

    assert line.startswith("alarmhub: ")


def test_pressing_without_a_hub_is_one_line(type_: Terminal) -> None:
    """It says how to start one."""
    [line] = refused(type_("press", "201/12/2"))

    assert line.startswith("alarmhub: no hub answers at http://127.0.0.1:9")


def test_a_kind_nobody_knows_is_a_usage_error(type_: Terminal) -> None:
    """With the kinds there are."""
    result = type_("press", "201/12/2", "--kind", "party")

    assert result.exit_code == 2
    assert "patient_call" in result.stderr


def test_the_doctor_fails_without_a_hub(type_: Terminal) -> None:
    """A line for each thing it looked at; exit 1."""
    result = type_("doctor")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warn", "fail") for line in lines)
    assert any(line.startswith("fail  hub ") for line in lines)
    assert any(line.startswith("ok    database ") for line in lines)


def test_the_demo_refuses_somebodys_server(type_: Terminal) -> None:
    """One line, nothing touched."""
    for words in (("demo",), ("demo", "--once")):
        assert refused(type_(*words)) == [
            "alarmhub: the demo runs on its own embedded PostgreSQL; unset [database] dsn"
        ]


# serve


def start(*words: str, folder: Path, **env: str) -> subprocess.Popen[str]:
    """A command as its own process."""
    return subprocess.Popen(
        [sys.executable, "-m", "alarmhub", *words],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "ALARMHUB_DATABASE__DATA_DIR": str(folder), **env},
    )  # fmt: skip


def asked(door: socket.socket, what: bytes) -> socket.socket:
    """The connection on which this is asked; who knew another by this port is let go."""
    while True:
        connection, _ = door.accept()
        connection.settimeout(5)
        try:
            if what in connection.recv(4096):
                return connection
        except TimeoutError:
            pass  # a stranger who waits for a word
        connection.close()


def test_serve_says_which_port_it_cannot_have(database_dsn: str, tmp_path: Path) -> None:
    """Exit 1, the last line says why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        hub = start(
            "serve", folder=tmp_path, ALARMHUB_DATABASE__DSN=database_dsn,
            ALARMHUB_API__PORT=str(port), ALARMHUB_PHONES__PORT="0",
        )  # fmt: skip
        _, said = hub.communicate(timeout=60)

    assert hub.returncode == 1
    assert str(port) in said.splitlines()[-1]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_well_when_it_is_told_to(sign: signal.Signals, database_dsn: str, tmp_path: Path) -> None:
    """Exit 0."""
    hub = start(
        "serve", folder=tmp_path, ALARMHUB_DATABASE__DSN=database_dsn, ALARMHUB_LOG__FORMAT="json",
        ALARMHUB_API__PORT="0", ALARMHUB_PHONES__PORT="0",
    )  # fmt: skip
    assert hub.stderr is not None
    for line in hub.stderr:
        if '"hub_serving"' in line:
            break
    hub.send_signal(sign)
    hub.communicate(timeout=30)

    assert hub.returncode == 0


def test_a_press_can_be_left(database_dsn: str, tmp_path: Path) -> None:
    """Ctrl-C: no traceback, and not the exit code of an accepted alarm."""
    with below_tmp("press") as folder, socket.socket() as held:
        # A door that takes the connection and never answers.
        held.bind(("127.0.0.1", 0))
        held.listen(8)
        press = start(
            "press", "201/12/2", folder=folder, ALARMHUB_API__PORT=str(held.getsockname()[1]),
            ALARMHUB_DATABASE__DSN=database_dsn,
        )  # fmt: skip
        with asked(held, b"/healthz"):
            started = time.monotonic()
            press.send_signal(signal.SIGINT)
            _, said = press.communicate(timeout=30)

    assert press.returncode == 130
    assert "Traceback" not in said
    assert time.monotonic() - started < 10


def test_a_secret_others_may_read_is_refused_in_one_line(type_: Terminal, tmp_path: Path) -> None:
    """Where it is, and what to do, before any hub is asked."""
    secret = tmp_path / "press.secret"
    secret.write_text("x" * 43)
    secret.chmod(0o644)
    (line,) = refused(type_("trial", "list"))
    assert line == f"alarmhub: {secret} can be read by others; remove it, or give it mode 0600"


def test_a_dump_that_cannot_be_written_is_one_line(type_: Terminal, tmp_path: Path) -> None:
    """With the file's name."""
    type_("site", "load", DEMO)
    (line,) = refused(type_("site", "dump", str(tmp_path / "none" / "site.toml")))
    assert line.startswith("alarmhub: ") and line.endswith("none/site.toml'")
