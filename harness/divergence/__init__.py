"""Programs that part in known ways, or do not, and what runs `verify` on them."""
