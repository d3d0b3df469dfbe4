"""What the lab changes in Gradio itself. Imported before any component is defined; checked when it is imported."""

from __future__ import annotations

import gradio.component_meta as component_meta

# For every class of a component Gradio writes a stub file beside the module that defines it, at each start. An
# installed package is not written into, and in a checkout nobody reads them.
assert callable(component_meta.create_or_modify_pyi)
component_meta.create_or_modify_pyi = lambda component_class, class_name, events: None
