"""Streams: a trained model that reads on, a row at a time, and a file of where it stands."""
