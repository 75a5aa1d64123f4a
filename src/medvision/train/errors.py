"""Why a training run cannot start or cannot go on."""

from medvision.declarations import DeclarationError
from medvision.errors import MedVisionError, UsageError


class ConfigError(DeclarationError):
    """The configuration file says something that no run can do."""


class LeakError(UsageError):
    """Subjects of a test set would be trained on."""


class NoSamplesError(UsageError):
    """The tables hold nothing to train on, or nothing to validate on."""


class BaseModelError(UsageError):
    """The base model cannot take part in a conversation about a picture."""


class SequenceTooLongError(UsageError):
    """A sample's tokens exceed the length limit; nothing is ever cut."""


class OtherRunError(UsageError):
    """The output folder holds a run of another configuration."""


class NotFiniteError(MedVisionError):
    """Loss or gradient is NaN or infinite: training stops before the weights take it in."""


class MergeError(MedVisionError):
    """The merged model does not give what base and adapter give together."""
