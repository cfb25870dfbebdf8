from __future__ import annotations

import pytest

from headwater.config import edgerole
from headwater.config.edgerole import workers_of
from headwater.config.settings import MAX_WORKERS, Edge, Settings


@pytest.mark.parametrize(
    ("said", "cores", "workers"), [(1, 8.0, 1), (3, 8.0, 3), (0, 8.0, 8), (0, 0.4, 1), (0, 1.6, 2)]
)
def test_how_many_serve_viewers(monkeypatch: pytest.MonkeyPatch, said: int, cores: float, workers: int) -> None:
    monkeypatch.setattr(edgerole, "cores", lambda: cores)
    assert workers_of(Settings(edge=Edge(workers=said))) == workers


def test_a_huge_machine_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgerole, "cores", lambda: 4_096.0)
    assert workers_of(Settings(edge=Edge(workers=0))) == MAX_WORKERS


def test_one_process_unless_told_otherwise() -> None:
    assert workers_of(Settings()) == 1
