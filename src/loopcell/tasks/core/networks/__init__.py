"""Modules that the networks of several jobs are made of."""
