"""Several runs of one command, judged: `seed-init verify`."""
