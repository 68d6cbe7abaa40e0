"""What loopcell costs beside its peers, measured: `make bench`. See README.md in this folder."""
