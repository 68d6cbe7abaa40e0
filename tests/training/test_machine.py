import platform

import torch

import loopcell
from loopcell.training.machine import machine_facts


def test_the_machine_and_the_versions():
    facts = machine_facts(torch.device("cpu"), "32-true")
    assert facts["torch"] == torch.__version__
    assert facts["python"] == platform.python_version()
    assert facts["loopcell"] == loopcell.__version__
    assert (facts["device"], facts["precision"]) == ("cpu", "32-true")
    assert facts["cores"] >= 1
    assert facts["processor"]
