"""What a model's score stands beside: models that see no order, or nothing at all."""
