"""Parts that several jobs share: the estimator base, settings, inputs, networks, model files, training from files."""
