"""What is in `deploy/` fits what is documented: alerts have their words, dashboards ask for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
RULES = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()
ALERTS = re.findall(r"- alert: (\w+)", RULES)
DOCUMENTED = set(re.findall(r"`((?:headwater|process)_\w+)`", (ROOT / "docs" / "metrics.md").read_text()))


def metrics_in(text: str) -> set[str]:
    """Names of metrics, those of a histogram's series without their ending."""
    found = set(re.findall(r"\b(?:headwater|process)_\w+", text))
    return {name if name in DOCUMENTED else re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def expressions(path: Path) -> list[str]:
    board = json.loads(path.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return asked + [variable["definition"] for variable in board["templating"]["list"] if "definition" in variable]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_metrics_that_are_documented(path: Path) -> None:
    asked = set().union(*map(metrics_in, expressions(path)))
    assert len(asked) > 10
    assert not asked - DOCUMENTED


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_well_laid_out(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_alerts_use_metrics_that_are_documented() -> None:
    expr = " ".join(re.findall(r"expr: >-\n +(.*)", RULES))
    assert not metrics_in(expr) - DOCUMENTED


def test_every_alert_is_explained_and_tested() -> None:
    explained = re.findall(r"^\| `(Headwater\w+)`", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    tested = re.findall(r"alertname: (\w+)", (ROOT / "deploy" / "prometheus" / "alerts.test.yml").read_text())
    assert len(ALERTS) > 15
    assert sorted(ALERTS) == sorted(explained) == sorted(tested)
