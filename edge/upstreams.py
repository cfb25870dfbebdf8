"""The upstreams of a node: their clients, the tier over them, and what the log says of them."""

from __future__ import annotations

import asyncio

import structlog

from headwater.config.settings import Edge
from headwater.config.settings_upstream import EdgeUpstream

from .breaker import Breaker
from .fetch import Fetcher, FetchLimits
from .member import Member, ProbeRules
from .tiers import Notice, TierRules, Tiers

log = structlog.get_logger("headwater.edge")

ALONE = "upstream"
"""What the one of `edge.upstream` is called in metrics and logs."""

_WORDS = {
    "upstream-down": "an upstream does not answer; others are asked",
    "upstream-up": "an upstream answers again",
    "stream-stands-still": "an upstream answers, but this playlist makes no progress there",
    "stream-taken-over": "a playlist goes on at another upstream, with the same names",
    "stream-taken-over-changed": "a playlist goes on at another upstream, with other names: players resynchronise",
}


class Upstreams:
    """`upstream`: the one to use where `settings.upstreams` says none. `cdn_id`: our entry in CDN-Loop.

    Raises OSError when a file of authorities cannot be used. Belongs to the running loop.
    """

    def __init__(self, settings: Edge, upstream: str, cdn_id: str) -> None:
        limits = FetchLimits(
            settings.upstream_connections,
            settings.followers,
            settings.object_bytes,
            settings.upstream_timeout_s,
            settings.connect_timeout_s,
            settings.upstream_stall_s,
        )
        tiers, entries = settings.tiers, settings.upstreams or (EdgeUpstream(url=upstream, name=ALONE),)
        self._fetchers: list[Fetcher] = []
        members = []
        for index, entry in enumerate(entries):
            fetcher = Fetcher(entry, limits, settings.node, cdn_id)
            self._fetchers.append(fetcher)
            breaker = Breaker(tiers.failures, tiers.open_s)
            members.append(Member(index, entry.label, fetcher, breaker, weight=entry.weight, sibling=entry.sibling))
        # One upstream is asked whatever is known of it, so nothing has to be known.
        path = tiers.probe_path if len(members) > 1 else ""
        rules = TierRules(
            settings.node,
            ProbeRules(path, tiers.probe_s, tiers.probe_timeout_s),
            tiers.slow_start_s,
            tiers.load_factor,
        )
        self.tiers = Tiers(members, rules, asyncio.get_running_loop().time())

    def handle_timeout(self, now: float) -> None:
        """Let the tier do what is due, and say what happened."""
        self.tiers.handle_timeout(now)
        while self.tiers.notices:
            _say(self.tiers.notices.popleft())

    async def close(self) -> None:
        """End all requests and connections."""
        self.tiers.stop()
        for fetcher in self._fetchers:
            await fetcher.close()


def _say(notice: Notice) -> None:
    write = log.info if notice.event in ("upstream-up", "stream-taken-over") else log.warning
    fields = {"playlist": notice.key} if notice.key else {}
    write(notice.event, upstream=notice.upstream, what=_WORDS[notice.event], **fields)
