"""Language models that nobody has trained."""

from __future__ import annotations

from loopcell import LanguageModel
from loopcell.tasks.core.settings import checked
from loopcell.tasks.language_model.network import LanguageModelNetwork


def network(vocabulary, **settings):
    """Return a network with the weights that it begins with."""
    return LanguageModelNetwork(vocabulary, checked(LanguageModel(**settings)))


def model_of(made, **settings):
    """Return an estimator that has a network, of which these are the settings."""
    model = LanguageModel(tokens=made.vocabulary.kind, **settings)
    model.vocabulary_, model.network_ = made.vocabulary, made.eval()
    return model
