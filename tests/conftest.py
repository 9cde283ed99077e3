"""What holds for every test: Hypothesis profiles, a strict log, no settings from the outside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import structlog

from alarmhub import logs

pytest_plugins = ["tests.support.database"]

# ci: the same quick examples in every run, so that a red build means a changed program.
# deep: pytest --hypothesis-profile=deep, fresh examples, for a night.
_CALM = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("ci", max_examples=60, derandomize=True, database=None, **_CALM)
hypothesis.settings.register_profile("deep", max_examples=5_000, print_blob=True, **_CALM)
hypothesis.settings.load_profile("ci")

for _name in [name for name in os.environ if name.startswith("ALARMHUB_")]:
    del os.environ[_name]


class _CurrentStderr:
    """Whatever stands for standard error now: pytest exchanges it for every test."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def strict_log() -> None:
    """A test fails when the code under it says something outside the vocabulary."""
    logs.configure(level="debug", format="json", stream=_CurrentStderr(), strict=True)  # type: ignore[arg-type]


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """The log entries of this test, as dicts with `event`, `log_level` and their keys."""
    with structlog.testing.capture_logs() as entries:
        yield entries  # type: ignore[misc]
