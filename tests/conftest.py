"""Hypothesis profiles of all tests: the default one is repeatable and quick, `deep` is what `make fuzz` runs."""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from tests.profile import DEEP
from tests.xdist_worker import say_less

from headwater.origin.conformance import Violation
from headwater.origin.metrics import OriginMetrics
from headwater.origin.rendition import LiveRendition

settings.register_profile("default", deadline=None, derandomize=True, max_examples=100, database=None)
settings.register_profile(
    "deep", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("deep" if DEEP else "default")

# A suite in the background of a shell inherits an ignored SIGINT, and so would every server that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected."""
    say_less(config)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected are thousands of tests that stay: the garbage collector looks at none of them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def unchanged_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that sets the logs up does it for itself: no module keeps a logger of it."""
    configure = structlog.configure

    def uncached(**settings: Any) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def violations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Violation]]:
    """Whatever a test does to an origin, nothing that it publishes is against a rule.

    A test that brings a violation about takes it out of the list.
    """
    seen: list[Violation] = []
    count = LiveRendition._violated

    def hear(rendition: LiveRendition, violation: Violation, metrics: OriginMetrics, now: float) -> None:
        seen.append(violation)
        count(rendition, violation, metrics, now)

    monkeypatch.setattr(LiveRendition, "_violated", hear)
    yield seen
    assert not seen
