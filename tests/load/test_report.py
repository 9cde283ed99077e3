"""The report: the agreed shape, merged from several commands, with a picture that opens."""

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from rich.console import Console

from load import report
from load.bench import FLOOR, HUB
from load.rates import Rate
from tests.load.test_rates import outcome


def _rate() -> Rate:
    rate = Rate(100)
    rate.rounds[HUB].append(outcome(HUB, [3.0] * 1000))
    rate.rounds[FLOOR].append(outcome(FLOOR, [2.0] * 1000))
    return rate


def test_sections_of_several_commands_come_together(tmp_path: Path) -> None:
    """A knee measured later does not wipe out the rates, and the four agreed keys are always there."""
    report.write(tmp_path, {"rates": [_rate().report()], "machine": {"cores": 2}}, {"rates": {}})
    whole = report.write(tmp_path, {"knee_per_s": 500}, {"knee": {}})
    assert set(whole) == {"rates", "knee_per_s", "burst", "machine"}
    assert whole["knee_per_s"] == 500
    assert whole["rates"][0]["rate"] == 100
    assert json.loads((tmp_path / "report.json").read_text()) == whole
    assert set(json.loads((tmp_path / "runs.json").read_text())) == {"rates", "knee"}


def test_the_picture_is_an_svg_with_both_curves(tmp_path: Path) -> None:
    """One curve per system and rate."""
    report.picture(tmp_path, [_rate()])
    text = (tmp_path / "percentiles.svg").read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert "hub 100/s" in text
    assert "floor 100/s" in text
    assert "<script" not in text or "http" not in text.partition("<script")[2].partition(">")[0]


def test_the_table_shows_each_rate_and_missing_figures_as_a_dash() -> None:
    """Null is a dash, never a nought."""
    out = io.StringIO()
    content = {"rates": [_rate().report()], "knee_per_s": 400, "burst": {}, "machine": {}}
    report.table(Console(file=out, width=130), content)
    text = out.getvalue()
    assert "valid" in text
    assert "1.50" in text
    assert "-" in text
    assert "400 alarms/s" in text
