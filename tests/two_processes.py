"""What each of two processes does in test_parallel: a whole run, then one that is stopped and resumed."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.distributed import destroy
from imgcls.training.trainer import train
from imgcls.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
settings = with_recipe(json.loads(sys.argv[2]))


def run(name, *, stop=False, resume=False):
    made = []

    def should_stop():
        return stop and any(isinstance(event, events.Started) for event in made)

    for event in train(settings, workspace=workspace, run=name, should_stop=should_stop, resume=resume):
        made.append(event)
    return made


whole = run("whole")
first = run("parts", stop=True)
second = run("parts", resume=True)
if os.environ["RANK"] == "0":
    ended = [asdict(event) for event in whole if isinstance(event, events.EpochEnded)]
    print(json.dumps({"stopped_at": first[-1].step, "ended": type(second[-1]).__name__, "epochs": ended}))
destroy()
