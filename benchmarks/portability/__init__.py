"""What the promise of DETERMINISM=portable rests on: bits on other CPUs, and the price."""
