"""Ingest: from an encoder's bytes to samples on one stream timeline.

Words
    publisher   a connected encoder that pushes one stream
    track       one elementary stream of a publisher (`media.Track`)
    packet      one access unit as the publisher sent it, in source time (`media.Packet`)
    sample      the same access unit on the stream's timeline, in its rendition (`media.Sample`)
    cut         the instant at which every rendition starts its next segment (`media.Cut`)
    epoch       what survives publishers and restarts: next MSN, timeline end, targets

Flow
    rtmp/ (bytes -> tracks and packets) -> timeline (packets -> samples, cuts, holes) -> media.StreamSink
    `server` owns the listeners, takeover and limits; `connection` drives a session, `stream` a timeline and its
    state file (`state`); `auth` says who may publish, `listen` opens sockets, `metrics` counts.

Not here: parts, playlists, HTTP (see origin/). Nothing in this folder imports origin, edge or loadtest;
the receiver of the stream is handed in as a `media.Sink`.
"""
