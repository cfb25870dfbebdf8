"""What a worker process of xdist tells the one that started it.

By itself it sends six messages for each test, pickled in Python at both ends: of nine thousand small tests, a tenth of
the time. Two say all that anybody reads.
"""

from __future__ import annotations

from typing import Any

import pytest

UNSEEN_S = 0.005
"""What `--durations` leaves out anyway."""


def say_less(config: pytest.Config) -> None:
    """Of a phase that passed in no time, other than the test itself, nothing is told; nothing changes with -v."""
    plugins = config.pluginmanager.get_plugins()
    worker: Any = next((plugin for plugin in plugins if type(plugin).__name__ == "WorkerInteractor"), None)
    if worker is None or config.get_verbosity() > 0:
        return
    send = worker.sendevent

    def sendevent(name: str, **words: Any) -> None:
        if name not in ("logstart", "logfinish") and not (name == "testreport" and _is_unseen(words["data"])):
            send(name, **words)

    worker.sendevent = sendevent


def _is_unseen(report: dict[str, Any]) -> bool:
    return bool(report["when"] != "call" and report["outcome"] == "passed" and report["duration"] < UNSEEN_S)
