"""The shared server: settings as promised, fresh databases, gone in the end."""

import pytest

from load.bench import Bench
from load.database import DatabaseFault, DatabaseServer


def test_the_bench_profile_changes_the_checkpoint_and_nothing_else(bench: Bench) -> None:
    """Settings fsync and synchronous_commit stay on; a checkpoint falls inside a minute."""
    settings = bench.database.settings()
    assert (settings["fsync"], settings["synchronous_commit"]) == ("on", "on")
    assert settings["checkpoint_timeout"] == "1min"


def test_a_fresh_database_is_empty(bench: Bench) -> None:
    """Made anew, also when one of this name was there."""
    bench.database.fresh("load_test_fresh")
    bench.database.run("CREATE TABLE leftover (id int)", database="load_test_fresh")
    bench.database.fresh("load_test_fresh")
    found = bench.database.run("SELECT to_regclass('leftover') IS NULL", database="load_test_fresh")
    assert found == "t"


def test_a_bad_name_or_command_is_refused(bench: Bench) -> None:
    """Names never become SQL unchecked, and psql's complaint is told."""
    with pytest.raises(ValueError, match="bad database name"):
        bench.database.fresh("x; DROP")
    with pytest.raises(DatabaseFault, match="syntax error"):
        bench.database.run("SELEC 1")
    with pytest.raises(ValueError, match="profile"):
        DatabaseServer("fast")
