"""Insight: what happens inside a model, step by step, as numbers, pictures and one page that opens anywhere."""

from loopcell.insight.attention_map import AttentionMap
from loopcell.insight.attribution import Attribution, attribute
from loopcell.insight.capture import LayerView, look_inside
from loopcell.insight.dynamics import StepDynamics, step_dynamics
from loopcell.insight.explanation import explain
from loopcell.insight.flow import FlowOfLayer, GradientFlow, gradient_flow
from loopcell.insight.flow_findings import Finding
from loopcell.insight.flow_inside import gradient_flow_inside
from loopcell.insight.inspection import Inspection, Prediction
from loopcell.insight.memory import MemoryLength, memory_length
from loopcell.insight.watching import LayerHealth, layer_health

__all__ = [
    "AttentionMap",
    "Attribution",
    "Finding",
    "FlowOfLayer",
    "GradientFlow",
    "Inspection",
    "LayerHealth",
    "LayerView",
    "MemoryLength",
    "Prediction",
    "StepDynamics",
    "attribute",
    "explain",
    "gradient_flow",
    "gradient_flow_inside",
    "layer_health",
    "look_inside",
    "memory_length",
    "step_dynamics",
]
