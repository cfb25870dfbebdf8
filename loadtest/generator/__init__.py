"""Drives thousands of players of one process: connections, clocks, and the watch over its own CPU and lag.

    process      one run: viewers arrive as planned, a turn every 10 ms, a `records.Tick` every second
    __main__     the process: a plan on stdin, ticks on stdout
    plan         what a process does
    hub          the players' port: requests, timers, and once a second a look after each viewer
    carrier      what carries a lane's requests, whatever the protocol
    connection   HTTP/1.1: one connection: the request out, the response in; one receive buffer for all of them
    response     HTTP/1.1 responses
    shared       HTTP/2: one connection that the lanes of a viewer share; exchange: a lane's place on it; pace: slow
                 readers
    http2        HTTP/2 itself: the library h2 as a viewer's side; sans-IO
    dial         makes connections
    ticks        counts and times into a Tick; selfwatch: CPU and lateness of the loop

The data path of one request: `Track.pump` -> `Lane.ask` -> `Hub.send` -> `Connection.send` -> (server) ->
`Connection.buffer_updated` -> `ResponseReader.feed` -> `Hub.answered` -> `Track.answered` -> `Track.pump`. There is no
task, no timer and no copy of media on it. Over HTTP/2 `Exchange.send`, `SharedConnection` and `Session` stand in place
of the three that know HTTP/1.1; the library copies what comes.

Not here: redirects, content codings (none is asked for).
"""
