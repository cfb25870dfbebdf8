"""The stages of media's way that need a server and a client: what is timed, and what is not."""

from __future__ import annotations

import asyncio

from tests.origin_kit import PLAYLIST, serve, settings

from headwater.config.stages import Stage


async def test_the_stage_origin_ends_with_the_last_byte_of_a_held_answer() -> None:
    """Playlists and hinted files that were held; what was there, and what was refused, is not timed."""
    async with serve(settings()) as site:
        site.live()
        origin = site.hub.stages[Stage.ORIGIN]
        await site.ask(PLAYLIST)
        assert origin.count == 0
        playlist = await site.playlist()
        now = playlist.position
        tasks = [
            site.hold(f"{PLAYLIST}?_HLS_msn={now.last_msn + 1}&_HLS_part={now.open_parts}"),
            site.hold(f"/live/demo/source/{playlist.hints[-1].uri}"),
        ]
        await site.held(2)
        await asyncio.sleep(0.2)
        site.feed.until(73.2)
        assert [(await task).status for task in tasks] == [200, 200]
        assert origin.count == 2
        assert origin.sum < 0.3
