"""Settings and composition: the one place that knows every part of the server.

Flow
    cli -> load (file, environment, flags -> Settings, checked) -> roles (parts, started and drained in order)
    roles -> supervisor -> child (`up`: the edge and the demo publisher as processes of their own)

Words
    setting     one key of the tree in `settings`, such as `edge.http.port`
    source      where an effective value came from: default, file, environment, flag
    role        what a process runs: origin, edge, or the origin with both children (`up`)
    crew        an edge with workers: parent, node and workers (`edge.workers`)
    generation  the node and the workers that run at one time; a hot restart is the next one
    hand-over   the settings as one line of JSON on a child's standard input

Modules
    settings, units     the tree itself: types, bounds, defaults, reasons (sans-IO; the only part others import)
    describe, show      the tree as lists and texts (sans-IO)
    welcome             the text of a started server (sans-IO)
    load                reads and explains
    logs, admin, loopwatch     what every process has: redacted logs, metrics and health, event-loop lag
    running, roles, edgerole   how a process runs a role
    edgeplan, merge, vigil  what each process of a crew gets, how their metrics become one, who hangs (sans-IO)
    crew, generation, spare, sockets  the parent, its children, the one that waits, the sockets that outlive them
    edgemember, report, control, crewbook, crewmetrics, pinproxy
                        one process of a crew, and how the parent speaks for all of them
    demo                the publisher of `up --demo`

Not here: anything about media or HTTP. No other folder imports this one, but for settings and units.
"""
