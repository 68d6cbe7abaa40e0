"""Baselines of classes, numbers and tags: models that see no order, or nothing at all."""
