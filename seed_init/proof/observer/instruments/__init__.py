"""What a plan can name. Each module has a function `start`."""
