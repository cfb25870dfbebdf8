"""What a run does and when: scenario files, arrivals, phases, publishers with faults, chaos steps, and the command.

    arguments, options   the command line -> a scenario
    files                a scenario file (TOML) -> settings●, or errors that name file, key, value and reason
    arrivals●            phases and a seed -> who comes when, divided among the processes
    clock●, offset       the server's clock minus ours, from the Date of its answers
    generators           the processes that watch, their ticks
    encoders, encoder    one process per publisher; faults● stand between the test picture and the connection
    chaos, netem         what is done to the system under test, and undone
    controller           all of it in one run: Ctrl-C ends it with the report
    limits, machine, profiling   what the system allows, what it is, and py-spy
    command              `headwater loadtest`, from the options to the exit code

The controller starts the generator processes and collects their ticks for `results`. Second 0 is the same moment for
all; times in a scenario count from there, or from the begin of a phase where it says so.
"""
