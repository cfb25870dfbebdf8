"""HTTP/2 for viewers (RFC 9113), over TLS.

    transport ── bytes ──> session ── whole requests ──> connection ──> core
    transport <── one write a turn ── session <── answers ── connection <── core

Sans-IO: huffman and hpack (RFC 7541, receiving), block (response heads, encoded once per entity and without a dynamic
table), frames and reader (bytes <-> frames), fields (decoded fields -> request), stream, sender (flow control and order
of DATA), control (the connection as a whole), session (its requests). Shell: repeat and connection (asyncio protocol:
what is answered without being read, and the rest).

Not here: TLS and the choice of the protocol (`edge.tlsserver`). Not at all: HTTP/2 without TLS, neither by
upgrade nor by prior knowledge; server push; priorities of RFC 7540.
"""
