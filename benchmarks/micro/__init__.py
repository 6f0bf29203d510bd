"""What runs in a process of its own for `alerts`, `operators` and `switches`: it imports torch."""
