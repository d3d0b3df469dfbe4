"""The lab in the browser."""

from imgcls.web.server import gradio_stubs

gradio_stubs.install()  # here, because Gradio must not be imported before
