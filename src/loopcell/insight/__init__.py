"""Insight: what happens inside a model, step by step, as numbers, pictures and one page that opens anywhere."""

from loopcell.insight.attention_map import AttentionMap
from loopcell.insight.attribution import Attribution, attribute
from loopcell.insight.capture import LayerView, look_inside
from loopcell.insight.corpus_parts import CorpusPart, CorpusReader
from loopcell.insight.corpus_text import CorpusText
from loopcell.insight.dynamics import StepDynamics, step_dynamics
from loopcell.insight.explanation import explain
from loopcell.insight.flow import GradientFlow, gradient_flow
from loopcell.insight.flow_findings import Finding
from loopcell.insight.flow_inside import gradient_flow_inside
from loopcell.insight.flow_of_layer import FlowOfLayer
from loopcell.insight.inspection import Inspection, Prediction
from loopcell.insight.matches import Match, Matches, match
from loopcell.insight.memory import MemoryLength, memory_length
from loopcell.insight.pattern import Condition, Pattern
from loopcell.insight.state_file import StatesPart
from loopcell.insight.state_store import StateStore, store_states
from loopcell.insight.tracking import Tracking, UnitScore, track
from loopcell.insight.watching import LayerHealth, layer_health

__all__ = [
    "AttentionMap",
    "Attribution",
    "Condition",
    "CorpusPart",
    "CorpusReader",
    "CorpusText",
    "Finding",
    "FlowOfLayer",
    "GradientFlow",
    "Inspection",
    "LayerHealth",
    "LayerView",
    "Match",
    "Matches",
    "MemoryLength",
    "Pattern",
    "Prediction",
    "StateStore",
    "StatesPart",
    "StepDynamics",
    "Tracking",
    "UnitScore",
    "attribute",
    "explain",
    "gradient_flow",
    "gradient_flow_inside",
    "layer_health",
    "look_inside",
    "match",
    "memory_length",
    "step_dynamics",
    "store_states",
    "track",
]
