"""Benchmarks against real peers, and the process handling that the peer tests share.

    processes   children with an output file, their CPU and memory, ended by their own id
    network     a bad network in a process of its own
    server      a real `headwater up` with its own ports and state; edge: a `headwater edge` before other upstreams
    metrics     single series of a /metrics page
    ingest      CPU and memory per passthrough stream, beside nginx-rtmp
    delay       from the packet that closes a part to that part at a client of the edge
    ladder      cost, quality, delay and start-up of the encoder ladder, beside ffmpeg
    quality     SSIM and PSNR
    capture     all renditions of a stream at once: boundaries, delays
    drive       one generator process of the load harness, and the bad server, as children
    caches      nginx and Varnish as caches of a live origin
    load        what one generator drives; our edge beside nginx and Varnish
    node        two workers under thousands of viewers: requests upstream per part
    hits        what a cached answer costs our edge and nginx; http2: the same over TLS and HTTP/2
    files       what both are caches of then; certificates: self-signed ones
    soak        thirty minutes of one stream
    ladder_soak twenty minutes of a ladder
    chain       two origins, shield and leaves under players and viewers: a worker, the shield, an origin are killed;
                chainnodes: its servers, chainreport: its tables, chaincpu: whose processor time; devtools: its players
    prometheus  Debian's Prometheus with our alerts and dashboards, before an origin and two edges

Every figure is made by `make bench` (`python -m headwater.loadtest.bench`).
"""
