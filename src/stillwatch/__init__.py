"""stillwatch finds illicit distillation of an AI model, answers it, and proves it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("stillwatch")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0+source"
