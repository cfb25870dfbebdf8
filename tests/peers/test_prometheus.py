"""Debian's Prometheus reads what we say, and what is in `deploy/` is right for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from headwater.loadtest.bench import prometheus
from headwater.loadtest.bench.prometheus import DEPLOY, MOST_SERIES, dashboard_queries

pytestmark = pytest.mark.peer

SECONDS = float(os.environ.get("HEADWATER_PROMETHEUS_SECONDS", "14"))
"""Ten minutes of it: `make soak SOAK=prometheus-soak`."""


def promtool(*arguments: str, folder: Path = DEPLOY / "prometheus") -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_and_the_rules_are_right() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "--lint-fatal", "alerts.yml")


def test_every_alert_fires_where_it_should_and_nowhere_else() -> None:
    promtool("test", "rules", "alerts.test.yml")


def test_every_query_of_the_dashboards_can_be_parsed(tmp_path: Path) -> None:
    rules = [
        {"record": "checked", "expr": query, "labels": {"number": str(number)}}
        for number, (_, query) in enumerate(dashboard_queries())
    ]
    assert len(rules) > 50
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    promtool("check", "rules", "rules.yml", folder=tmp_path)


def test_an_origin_and_two_edges_are_scraped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = prometheus.run(tmp_path, seconds=SECONDS, say=print, scrape_s=2)
    assert not found.problems, "\n".join(found.problems)
    assert len(found.series) == 3
    assert all(0 < count <= MOST_SERIES for count in found.series.values())
    assert found.scrapes >= 3 * (SECONDS / 2 - 3)
    with capsys.disabled():
        print(f" {found.series}", end="")
