"""The networks: their rows, their parts, their initialisations, transfer and pre-trained weights.

Importing this imports neither torch nor torchvision; building a network does.
"""

from imgcls.models.registry import MODELS, NAMES, ModelSpec, build, model_spec

__all__ = ["MODELS", "NAMES", "ModelSpec", "build", "model_spec"]
