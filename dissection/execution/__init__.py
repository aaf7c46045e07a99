"""How work is carried out: processes, threads, compiled loops, reading ahead, and resuming after a kill.

Nothing here knows what the work is.
"""
