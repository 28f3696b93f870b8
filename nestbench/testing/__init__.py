"""The contracts that plugins promise, as checks that a plugin's own tests can call.

from nestbench.testing import check_encoder

def test_my_encoder_keeps_the_contract():
    check_encoder("mine:small", depth=4)
"""

from nestbench.testing.datasets import check_dataset, check_dataset_plugin
from nestbench.testing.encoders import ENCODER_CHECKS, Subject, check_encoder, encoder_failures

__all__ = [
    "ENCODER_CHECKS",
    "Subject",
    "check_dataset",
    "check_dataset_plugin",
    "check_encoder",
    "encoder_failures",
]
