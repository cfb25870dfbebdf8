"""`EdgeServer`: the edge as one object that the composition root starts, drains and closes."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from headwater.config.settings import Edge


class EdgeServer:
    """Serves viewers on `settings.http` from `upstream` (base URL such as `http://127.0.0.1:8081`).

    Metrics are put into `registry`. All methods belong to one running event loop (uvloop or asyncio).
    """

    def __init__(self, settings: Edge, upstream: str, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._upstream = upstream
        self._registry = registry
        self._port = 0

    @property
    def port(self) -> int:
        """The port that is really bound; 0 before `start`."""
        return self._port

    @property
    def ready(self) -> bool:
        """True while new viewers are welcome: started and not draining."""
        return self._port != 0

    async def start(self) -> None:
        """Bind the listener and begin to serve. Raises OSError when the address is taken."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Stop accepting, answer held requests now, end every connection; returns when all are gone or time is up."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop at once. Idempotent."""
        raise NotImplementedError
