"""Hypothesis profiles of all tests: the default one is repeatable and quick, `deep` is what `make fuzz` runs."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, derandomize=True, max_examples=100, database=None)
settings.register_profile(
    "deep", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("deep" if os.environ.get("HEADWATER_FUZZ") == "deep" else "default")

# A suite in the background of a shell inherits an ignored SIGINT, and so would every server that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
