"""What a run does and when: scenario files, arrivals, phases, publishers with faults, chaos steps, and the command.

The controller starts the generator processes and collects their ticks for `results`.
"""
