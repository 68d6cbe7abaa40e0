"""Classify, regress and tag sequences."""
