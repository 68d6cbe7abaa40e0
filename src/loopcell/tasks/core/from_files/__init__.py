"""Train and score estimators on files: which files, their columns, the examples in them, the run folder."""
