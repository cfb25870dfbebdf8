"""Origin: from samples on a stream timeline to LL-HLS over HTTP.

Flow
    media.StreamEvent -> hub -> segmenter (samples -> parts, segments) -> cmaf (bytes)
    -> window (the rolling list, immutable snapshots) -> hls (playlist text) -> handlers (aiohttp)

Words
    part        LL-HLS Partial Segment; the part index counts from 0 in its parent
    window      the rolling list of segments and parts that a playlist shows
    held        a blocking playlist reload, or a request for the hinted part, that waits for publication

HTTP side
    hub         streams by name, timers, forgetting; the media.Sink
    stream      one stream: starting, live, ended; events in, bodies out; rendition: one of its renditions
    held        requests that wait, their bound, the drain
    catalog     tracks -> multivariant playlist
    handlers    requests -> answers; responses: headers, cache lifetimes, ranges; assets: pages; app: the server

Not here: sockets of encoders (ingest/), caches (edge/). `origin.hls` is the vocabulary that edge/ and
loadtest/ share; nothing else of this folder is imported by them.
"""
