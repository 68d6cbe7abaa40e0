"""A trained estimator as one step: the stages that stand around its recurrent layers, for `loopcell.export`."""
