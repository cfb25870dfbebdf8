"""Origin: from samples on a stream timeline to LL-HLS over HTTP.

Flow
    media.StreamEvent -> hub -> segmenter (samples -> parts, segments) -> cmaf (bytes)
    -> window (the rolling list, immutable snapshots) -> hls (playlist text) -> handlers (aiohttp)

Words
    part        LL-HLS Partial Segment; the part index counts from 0 in its parent
    window      the rolling list of segments and parts that a playlist shows
    held        a blocking playlist reload, or a request for the hinted part, that waits for publication

Not here: sockets of encoders (ingest/), caches (edge/). `origin.hls` is the vocabulary that edge/ and
loadtest/ share; nothing else of this folder is imported by them.
"""
