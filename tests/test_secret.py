"""A secret shows itself only to who asks for it by name."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from alarmhub.secret import STARS, Secret, kept

SECRET = Secret("korp-och-kaja")


@pytest.mark.parametrize(
    "shown",
    [str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r}", f"{SECRET:>20}", f"{[SECRET]}", "%s" % SECRET],  # noqa: UP031
)
def test_prints_as_stars(shown: str) -> None:
    """However it is formatted, stars come out and the text does not."""
    assert STARS in shown
    assert "korp" not in shown


def test_reveals_when_asked() -> None:
    """`reveal` is the one way to the text."""
    assert SECRET.reveal() == "korp-och-kaja"


def test_equal_secrets_are_equal() -> None:
    """Two secrets with the same text are the same, also as a key; a plain string never is one."""
    assert Secret("å") == Secret("å")
    assert len({Secret("å"), Secret("å"), Secret("ä")}) == 2
    assert Secret("å") != "å"


def test_empty_secret_is_false() -> None:
    """An unset secret can be asked for like any other empty value."""
    assert not Secret("")
    assert Secret(" ")


def test_is_not_pickled() -> None:
    """A pickle would carry the text in the clear, so there is none."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(SECRET)


def test_one_that_is_kept_is_made_once_for_its_owner(tmp_path: Path) -> None:
    """The second reader gets the first one's, also when both found none."""
    path = tmp_path / "data" / "s"

    def late() -> str:
        assert kept(path, lambda: "first").reveal() == "first"
        return "second"

    assert kept(path, late).reveal() == "first"
    assert [(file.name, file.stat().st_mode & 0o777) for file in path.parent.iterdir()] == [("s", 0o600)]


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """It is no secret any more."""
    path = tmp_path / "s"
    kept(path, lambda: "x")
    path.chmod(0o604)
    with pytest.raises(PermissionError, match="can be read by others"):
        kept(path, lambda: "x")
