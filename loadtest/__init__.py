"""Tools that see a server from outside, ours or any other: they push streams, watch them, judge them, and break them.

    publish     `headwater publish`: a test picture or a file, over RTMP or SRT
    doctor      `headwater doctor`: a stream against the numbered rules
    scenario    `headwater loadtest`: what a run does and when; starts the generators
    generator   one process of a run: connections and clocks of thousands of players
    players     how viewers behave (sans-IO)
    results     what a run found: figures, invariants, reports
    badserver   a live server that is bad in ways it was told, to try the others on
    bench       benchmarks against real peers, and the processes of the peer tests

    records     the vocabulary of a run; records_json: the same as JSON
    follow      the smallest honest viewer: part by part
    fragments   what a client reads of a CMAF chunk (sans-IO)
    udpproxy    a bad network for UDP

Flow of a run: scenario -> generator, with players -> records.Tick, each second of each process -> results.

Not here: the server. Of it only the vocabulary of HLS (`origin.hls`) and the reading of settings (`config`) are known.
"""
