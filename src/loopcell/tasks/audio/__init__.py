"""Sound in, sound out: models that answer each sample with a sample, as those of amplifiers and effects do."""
