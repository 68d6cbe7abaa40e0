"""Back ends: each runs a program. `reference` is plain PyTorch."""
