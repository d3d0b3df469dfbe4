"""`serve`: open the lab in the browser. The same as `python app.py`."""

from __future__ import annotations

import argparse


def run(arguments: argparse.Namespace) -> int:
    from imgcls.web.app import serve

    return serve(host=arguments.host, port=arguments.port)
