"""Programs as people write them, without a line about seeds, and what runs one of them."""
