"""Insight: what happens inside a model, step by step, as numbers, pictures and one page that opens anywhere."""

from loopcell.insight.capture import LayerView, look_inside
from loopcell.insight.inspection import Inspection, Prediction

__all__ = ["Inspection", "LayerView", "Prediction", "look_inside"]
