"""Programs as people write them, without a line about seeds, and the test that they repeat."""
