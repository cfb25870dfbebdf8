"""RTMP: from a publisher's bytes to tracks and packets. Sans-IO throughout.

Words
    handshake   C0 C1 C2 against S0 S1 S2, plain or with digests
    chunk       a piece of a message; chunk streams interleave, each with its own running header
    message     type, timestamp, message stream id, payload
    command     a message of AMF values: `connect`, `createStream`, `publish`, ...
    tag         the payload of an audio or video message: an FLV tag body, classic or enhanced
    target      what the publisher wants to publish: application, stream name, query

Flow
    session.PublishSession drives them all:
    handshake (bytes) -> chunks.ChunkReader (messages) -> messages (control, aggregates)
      -> amf, commands, target (connect, publish and their answers)
      -> flv.TagReader (tracks, packets) -> events
    limits says what one peer may cost, errors how a conversation fails, events what the shell is told.

Not here: sockets, TLS, clocks, who may publish (the shell answers `PublishRequested`), takeover, the
bitrate cap, the media idle time (see ingest/server); playing over RTMP; RTMPE, RTMPT and Adobe's
`authmod` challenge, which are refused or not offered.
"""
