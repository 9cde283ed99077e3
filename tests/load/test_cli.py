"""The commands: exit 0 only for a good run, one line for each failure."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from load import cli, machine


def test_a_quick_run_on_the_floor_writes_a_report(tmp_path: Path) -> None:
    """Report, raw rounds, picture and exact logs in the folder; the floor alone is no valid comparison."""
    done = CliRunner().invoke(
        cli.main, ["run", "--quick", "--systems", "floor", "--anyway", "--out", str(tmp_path)]
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["rates"][0]["rate"] == 50
    assert report["rates"][0]["lost"] == 0
    assert report["rates"][0]["floor"]["p50_ms"] > 0
    assert report["rates"][0]["hub"]["p50_ms"] is None
    assert report["machine"]["floors"]["bare_insert"]["count"] > 0
    assert report["machine"]["pin"] == "split"
    assert (tmp_path / "percentiles.svg").exists()
    assert list(tmp_path.glob("alarms-floor-50-1.bin"))
    assert done.exit_code == 1
    assert "hub did not run" in done.output


def test_a_busy_machine_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other people's load would be in the figures."""
    monkeypatch.setattr(machine, "busy", lambda: 9.0)
    done = CliRunner().invoke(cli.main, ["burst", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "busy" in done.output


def test_more_phones_than_files_may_be_open_is_refused(tmp_path: Path) -> None:
    """Before anything is started."""
    done = CliRunner().invoke(cli.main, ["idle", "--phones", "99000000", "--anyway", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "ulimit" in done.output


def test_faults_are_said_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And end with exit 1; none at all ends quietly."""
    cli.finish([])
    with pytest.raises(SystemExit) as ended:
        cli.finish(["3 lost", "1 duplicated"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines() == ["failed: 3 lost", "failed: 1 duplicated"]
