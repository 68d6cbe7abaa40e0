"""Forecasting: series on a scale, segments to train on, the network, its heads, and ways to look ahead."""
