"""Trainings that are stopped and resumed, rightly or not, and what has to be said of each."""
