"""The costs of loopcell beside its peers, measured: `make bench`. See README.md in this folder."""
