"""Word vectors: texts cut into words, the kernel that learns, files of other programs, vectors for other networks."""
