"""imgcls: a lab for image classification. Importing the package imports neither torch nor Gradio."""

__version__ = "0.1.0"
