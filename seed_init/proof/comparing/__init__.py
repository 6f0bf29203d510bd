"""Where two runs differ: steps, events, outputs, files and environments."""
