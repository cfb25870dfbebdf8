"""Ingest: from an encoder's bytes to samples on one stream timeline.

Words
    publisher   a connected encoder that pushes one stream
    track       one elementary stream of a publisher (`media.Track`)
    packet      one access unit as the publisher sent it, in source time (`media.Packet`)
    sample      the same access unit on the stream's timeline, in its rendition (`media.Sample`)
    cut         the instant at which every rendition starts its next segment (`media.Cut`)
    epoch       what survives publishers and restarts: next MSN, timeline end, targets

Flow
    rtmp/, srt/ + mpegts/ (bytes -> tracks, packets) -> timeline (packets -> samples, cuts, holes) -> media.StreamSink
    RTMP    `rtmplisten` -> `connection` (one socket, one session)  \
    SRT     `srtlisten` (one `udp` port) -> `srtpublisher`           > `feed` -> `streams` -> `stream`
    pulls   `pull` (one `udp` port each) -> `srtpublisher`          /
    `server` composes them. `publisher` is what the others know of whoever feeds a stream; `streams` has them by name:
    `auth` says who may publish, takeover, lingering; `stream` drives a timeline and its state file (`state`). `gate`
    counts connections, `pace` bounds what one may cost, `listen` opens sockets, `kek` makes keys of passphrases,
    `srtaccess` reads what an SRT caller wants, `srtadvice` judges its latency; `metrics`, `srtmetrics` count.

Not here: parts, playlists, HTTP (see origin/). Nothing in this folder imports origin, edge or loadtest;
the receiver of the stream is handed in as a `media.Sink`.
"""
