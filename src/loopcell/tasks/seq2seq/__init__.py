"""Write sequences: translate, answer, caption; the decoder, attention and the search that they share."""
