"""Programs that part in known ways, or do not, and the test that `verify` says so."""
