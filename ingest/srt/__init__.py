"""SRT: a receive-only, live-mode listener and caller of SRT 1.5 (HSv5), sans-IO.

Nothing here opens a socket or reads a clock: datagrams and `now` come in, datagrams, events and the next timeout go
out.
"""
