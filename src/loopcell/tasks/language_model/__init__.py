"""Train language models on text, score them, and sample from them."""
