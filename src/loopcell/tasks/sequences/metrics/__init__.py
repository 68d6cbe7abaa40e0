"""Metrics of classes, numbers and tags."""
