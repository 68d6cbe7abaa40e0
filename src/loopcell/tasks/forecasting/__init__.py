"""Forecasting: series on a scale, stretches to train on, the network, its heads, and ways to look ahead."""
