"""Accounts from a terminal, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import DEMO, Terminal, refused


@pytest.fixture
def type_(database_dsn: str, tmp_path: Path) -> Terminal:
    """A terminal on a database with the demo hospital in it."""
    terminal = Terminal(database_dsn, tmp_path)
    assert terminal("site", "load", DEMO).exit_code == 0
    return terminal


def test_add_list_reset_disable(type_: Terminal) -> None:
    """Each secret once, each state in words."""
    added = type_("account", "add", "anna.berglund", "--login", "Ava.Ssk", "--external", "SE-1")
    listed = type_("account", "list")
    reset = type_("account", "reset", "anna.berglund")
    disabled = type_("account", "disable", "anna.berglund")
    after = type_("account", "list")

    login, secret = added.stdout.split()
    assert (added.exit_code, login) == (0, "ava.ssk")
    assert listed.stdout.split("\t")[0] == "anna.berglund" and "one-time password" in listed.stdout
    assert secret not in listed.stdout
    assert reset.stdout.split()[0] == "ava.ssk" and reset.stdout.split()[1] != secret
    assert (disabled.exit_code, disabled.stdout) == (0, "anna.berglund: disabled\n")
    assert "disabled 2" in after.stdout


def test_faults_are_one_line(type_: Terminal) -> None:
    """And nothing is made."""
    assert refused(type_("account", "add", "nobody")) == [
        'alarmhub: account: staff: expected the id of a person of the site, got "nobody"'
    ]
    assert "a desk does not sign in" in refused(type_("account", "add", "vaxeln"))[0]
    assert "expected somebody with an account" in refused(type_("account", "reset", "anna.berglund"))[0]
    assert type_("account", "list").stdout == ""


def test_without_a_site_there_is_nobody_to_add(database_dsn: str, tmp_path: Path) -> None:
    """It says what to do first."""
    said = refused(Terminal(database_dsn, tmp_path)("account", "add", "anna"))
    assert said == ["alarmhub: account: site: none has been loaded yet: alarmhub site load FILE"]
