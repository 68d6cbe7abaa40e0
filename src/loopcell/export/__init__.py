"""Models that leave Python: what a model computes at a step, written for other places to run."""
