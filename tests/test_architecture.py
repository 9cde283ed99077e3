"""The rules of the house that no linter knows.

Each list of exceptions may only shrink: an exception that is no longer needed fails too. What import-linter
and ruff can hold stands in pyproject.toml instead.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alarmhub.logs import Line

ROOT = Path(__file__).parents[1]
PACKAGES = ("alarmhub", "protocols", "load")

MODULE_LINES = 500
FUNCTION_LINES = 60

# Modules without a test module of their own, each with the reason.
UNTESTED: dict[str, str] = {
    "alarmhub/__main__.py": "one call of cli.main, which tests/test_cli.py runs as `python -m alarmhub`",
    "alarmhub/people.py": "promises without behaviour; the contract suites in tests/store hold both to them",
    "alarmhub/ports.py": "promises without behaviour; the contract suite in tests/store holds both to them",
}
# Modules longer than MODULE_LINES, each with the reason.
LONG_MODULES: dict[str, str] = {}
# Functions longer than FUNCTION_LINES ("path: name"), each with the reason.
LONG_FUNCTIONS: dict[str, str] = {}

VAGUE_NAMES = re.compile(r"(Manager|Helper|Utils?)$|^(manager|helpers?|utils?|common|misc)$")
DATABASE_NOW = re.compile(
    r"\bnow\s*\(|\b(current_timestamp|current_date|current_time|localtimestamp)\b", re.I
)
SLEEPS = re.compile(r"\bsleep\(")
MOCKS = re.compile(r"\b(unittest\.mock|MagicMock|AsyncMock|Mock)\b|\bmocker\b")


def modules(*packages: str) -> list[Path]:
    """The Python files of these packages, without the `__init__` files that only say what a package is."""
    return [
        path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "__init__.py"
    ]


def named(path: Path) -> str:
    """A path as it is written in this file."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(path: Path) -> set[str]:
    """The modules that a module names in its imports, in functions too."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return names


def test_each_module_has_its_test_module() -> None:
    """alarmhub/x/y.py is tested by tests/x/test_y.py, protocols/z.py by tests/protocols/test_z.py."""
    missing = set()
    for path in modules(*PACKAGES):
        inner = path.relative_to(ROOT / "alarmhub") if "alarmhub" in path.parts else path.relative_to(ROOT)
        if not (ROOT / "tests" / inner.parent / f"test_{inner.stem.strip('_')}.py").exists():
            missing.add(named(path))

    assert missing == set(UNTESTED)


def test_modules_are_small() -> None:
    """A module that outgrows the budget has a second reason to change: split it by noun."""
    long = {
        named(path)
        for path in modules(*PACKAGES)
        if len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES
    }

    assert long == set(LONG_MODULES)


def test_functions_are_small() -> None:
    """A function that outgrows the budget decides more than one thing."""
    long = {
        f"{named(path)}: {function.name}"
        for path in modules(*PACKAGES)
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    }

    assert long == set(LONG_FUNCTIONS)


def test_names_say_what_a_thing_is() -> None:
    """No Manager, Helper or Util, in modules or classes."""
    vague = [named(path) for path in modules(*PACKAGES) if VAGUE_NAMES.search(path.stem)]
    vague += [
        f"{named(path)}: {node.name}"
        for path in modules(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and VAGUE_NAMES.search(node.name)
    ]

    assert vague == []


def test_nothing_waits_in_the_core_or_in_a_codec() -> None:
    """Decisions and codecs are plain functions: the answer arrives as the next event."""
    waiting = [
        f"{named(path)}:{node.lineno}"
        for path in modules("alarmhub/core", "protocols")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]

    assert waiting == []


FAMILIES = {"mllp": "hl7", "pcd04": "hl7", "pcd05": "hl7"}
"""Layers of one protocol that bear names of their own: the transactions of IHE ACM are HL7 over MLLP."""


def family_of(stem: str) -> str:
    """`espa444` for `espa444_block`."""
    first = stem.split("_")[0]
    return FAMILIES.get(first, first)


def test_codecs_do_not_know_each_other() -> None:
    """A module of `protocols` imports only `codec` and its own family (`espa444_block` with `espa444`)."""
    crossing = []
    for path in modules("protocols"):
        family = family_of(path.stem)
        for name in imported(path):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package == "protocols" and other and other != "codec" and family_of(other) != family:
                crossing.append(f"{named(path)} imports {name}")

    assert crossing == []


@pytest.mark.parametrize("path", sorted((ROOT / "alarmhub").rglob("*.sql")), ids=named)
def test_no_statement_reads_the_time_by_itself(path: Path) -> None:
    """`now` is a parameter; only what must compare processes asks for clock_timestamp()."""
    statements = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))

    assert DATABASE_NOW.findall(statements) == []


def test_no_test_sleeps() -> None:
    """Tests wait for a condition with a deadline (tests/support/waiting.py), or time jumps."""
    sleeping = [
        named(path)
        for path in modules("tests")
        if "support" not in path.parts
        and path != Path(__file__)
        and any(SLEEPS.search(line) for line in path.read_text(encoding="utf-8").splitlines())
    ]

    assert sleeping == []


def test_the_core_is_tested_without_mocks() -> None:
    """A pure function needs none."""
    mocked = [named(path) for path in modules("tests/core") if MOCKS.search(path.read_text(encoding="utf-8"))]

    assert mocked == []


def test_every_log_line_is_said_somewhere() -> None:
    """The vocabulary holds nothing that nobody says."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in modules("alarmhub"))
    silent = [line.name for line in Line if not re.search(rf"\bLine\.{line.name}\b", text)]

    assert silent == []


def test_every_package_says_what_it_is() -> None:
    """A package's first paragraph is its map: what it is, and what it refuses to do."""
    short = [
        named(path)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if len(ast.get_docstring(tree(path)) or "") < 40
    ]

    assert short == []
