"""The house as docs/architecture.md draws it: who may import whom, checked on the source itself, lazy imports too."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
# Imports point down this list and never up; rooms of one line do not know each other, but for `cli serve`.
ORDER = (
    ("cli",),
    ("web",),
    ("library",),
    ("runs",),
    ("training",),
    ("audit", "inference"),
    ("checkpoints",),
    ("recipes",),
    ("data",),
    ("models", "presets"),
    ("settings", "imaging"),
    ("optimizers", "augmentations"),
    ("files", "filenames"),
    ("processes", "progress"),
    ("workspace", "plugins"),
    ("errors",),
    ("messages",),
    ("environment",),
)
LEVEL = {room: len(ORDER) - i for i, line in enumerate(ORDER) for room in line}
# What a room or a file never reaches, not even through others.
NEVER = {
    "imgcls.inference": ("imgcls.training", "imgcls.data", "gradio"),
    "imgcls.training.trainer": ("gradio", "rich", "imgcls.training.loggers"),
    "imgcls.imaging": ("torch.nn.modules", "gradio"),
    "imgcls.web": ("imgcls.cli",),
    "imgcls.runs.store": ("subprocess", "imgcls.runs.launcher", "imgcls.runs.warm_worker"),
    "imgcls.runs.lifecycle": ("subprocess", "imgcls.runs.launcher", "imgcls.runs.warm_worker"),
    "imgcls.checkpoints.format": ("imgcls.data", "imgcls.training"),
}
# What importing a place does not load: the first page does not wait for torch.
NOT_AT_ONCE = {"imgcls.web": ("torch", "torchvision", "imgcls.training.trainer"), "imgcls.cli.main": ("torch", "numpy")}
ONLY = {  # a library and the places that may import it
    "gradio": ("imgcls.web",),
    "ray": ("imgcls.runs.ray_engine",),
    "tensorboard": ("imgcls.training.loggers.tensorboard",),
    "torch.utils.tensorboard": ("imgcls.training.loggers.tensorboard",),
}


def name_of(path):
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted((PROJECT / "imgcls").rglob("*.py"))}


@cache
def imports(module, *, top_only=False):
    """Every module that a file imports; wherever in it the import stands, but for type checking."""
    found = set()
    todo = list(ast.parse(FILES[module].read_text("utf-8")).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in FILES else node.module)
        elif not (top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            todo += list(ast.iter_child_nodes(node))
    return frozenset(found)


@cache
def reached(module, *, top_only=False):
    """Everything a module imports, through whatever modules of the project; `top_only`: while it is imported itself."""
    found, todo = set(), [module]
    while todo:
        for name in imports(todo.pop(), top_only=top_only) - found:
            found.add(name)
            if name in FILES:
                todo.append(name)
    return frozenset(found)


def inside(name, package):
    return name == package or name.startswith(package + ".")


def room(module):
    return module.split(".")[1]


ROOMS = sorted(m for m in FILES if m not in ("imgcls", "imgcls.__main__"))


def test_every_room_has_its_place():
    assert {room(module) for module in ROOMS} == set(LEVEL)


@pytest.mark.parametrize("module", ROOMS)
def test_imports_point_down(module):
    up = {
        name
        for name in imports(module)
        if name in FILES
        and name != "imgcls"
        and room(name) != room(module)
        and LEVEL[room(name)] >= LEVEL[room(module)]
    }
    assert not up, f"{module} imports {up}"


def test_no_circles():
    """Lazy imports count: a circle hidden in a function is one all the same."""
    state, path = {}, []

    def visit(module):
        state[module] = "open"
        path.append(module)
        for name in sorted(imports(module)):
            if name in FILES and name != "imgcls":
                assert state.get(name) != "open", " -> ".join([*path[path.index(name) :], name])
                if name not in state:
                    visit(name)
        path.pop()
        state[module] = "done"

    for module in ROOMS:
        if module not in state:
            visit(module)


@pytest.mark.parametrize(("room_or_file", "package"), [(k, p) for k, ps in NEVER.items() for p in ps])
def test_never_reached(room_or_file, package):
    members = [module for module in FILES if inside(module, room_or_file)]
    assert members
    for module in members:
        through = {name for name in reached(module) if inside(name, package)}
        assert not through, f"{module} reaches {through}"


@pytest.mark.parametrize(("place", "package"), [(k, p) for k, ps in NOT_AT_ONCE.items() for p in ps])
def test_not_loaded_at_once(place, package):
    for module in [module for module in FILES if inside(module, place)]:
        through = {name for name in reached(module, top_only=True) if inside(name, package)}
        assert not through, f"importing {module} loads {through}"


@pytest.mark.parametrize("package", sorted(ONLY))
def test_only_these_import(package):
    users = {module for module in FILES if any(inside(name, package) for name in imports(module))}
    assert users or package == "tensorboard"
    assert all(any(inside(user, place) for place in ONLY[package]) for user in users), users


@pytest.mark.parametrize("word", ["pickle", "marshal", "shelve", "dill", "joblib"])
def test_nothing_is_unpickled(word):
    assert not {m for m in FILES if word in imports(m)}
    for path in FILES.values():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path


def loaded(code, *unwanted):
    """Which of `unwanted` a fresh Python has loaded after `code`."""
    if unwanted:
        code += f"\nimport sys; print(sorted({set(unwanted)!r} & set(sys.modules)))"
    return subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=PROJECT, capture_output=True, text=True
    ).stdout.splitlines()[-1]


def test_gradio_writes_no_stubs_for_its_own_components_either():
    """It parses the module of each of its classes for them: a third of its import."""
    code = """if True:
        import ast
        parsed, parse = [], ast.parse
        ast.parse = lambda source, *args, **kwargs: parsed.append(source) or parse(source, *args, **kwargs)
        import imgcls.web.server.gradio_internals
        print([source[:60] for source in parsed if "EVENTS = [" in str(source)])"""
    assert loaded(code) == "[]"


def test_help_needs_no_torch_and_training_no_gradio():
    code = "from imgcls.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert loaded(code, "torch", "gradio", "numpy") == "[]"
    code = "import imgcls.cli.commands.predict, imgcls.cli.commands.train, imgcls.training.trainer, imgcls.runs.worker"
    assert loaded(code, "gradio") == "[]"


def test_the_first_page_needs_no_torch(workspace):
    """Built and served; what loads torch afterwards is a thread of the server's."""
    code = (
        "from starlette.testclient import TestClient; from imgcls.web.app import create_app\n"
        "from imgcls.web.server.hosting import hosting; from imgcls.workspace import Workspace\n"
        "app = create_app(hosting(env={}), Workspace.from_environment())\n"
        "assert TestClient(app, base_url='http://127.0.0.1').get('/en/').status_code == 200"
    )
    assert loaded(code, "torch", "torchvision") == "[]"


GATE = "imgcls.web.shared.work_gate"
# What opens a picture, loads a network or runs something in a thread: in web/ the gate alone does that.
GATED = {
    "open_image", "opened_image", "Image.open", "Predictor.cached", "Predictor.load", "load_checkpoint", "read_epoch",
    "run_in_threadpool", "iterate_in_threadpool", "to_thread", "run_in_executor", "ThreadPoolExecutor",
    "ProcessPoolExecutor", "CapacityLimiter", "Thread",
}  # fmt: skip
OF_ITS_OWN = {
    ("imgcls.web.app", "Thread"),  # warms up, and sweeps, beside all that is asked
    ("imgcls.web.classify.browser_weights", "read_epoch"),  # of tensors that are handed on, not of a network
    ("imgcls.web.classify.handout", "read_epoch"),
    ("imgcls.web.server.tensorboard", "Thread"),  # reads what a process says until that ends
}
# What takes seconds: no coroutine does it itself.
MAKERS = {
    "handout", "handout_with", "report", "units_bytes", "units_if_there", "epochs_bytes", "page_bytes", "preview",
    "grid", "data_url",  # pictures are encoded
    "opened_picture", "network", "classify", "classify_prepared", "of_drawing", "of_photo", "drawing_of", "frame_of",
    # Files of the workspace, which may lie on a slow disk.
    "read_meta", "network_kind", "kind_of", "weights.name", "self._in_page", "run_cache.runs",
    "run_cache.view", "run_cache.checkpoint", "run_cache.checkpoints", "cache.checkpoint", "list_labs", "find_run",
}  # fmt: skip
WEB = [module for module in FILES if inside(module, "imgcls.web") and module != GATE]


def called(call):
    """ "Image.open" and "open" of `Image.open(...)`."""
    name = ast.unparse(call.func)
    return {name, ".".join(name.split(".")[-2:]), name.split(".")[-1]}


@pytest.mark.parametrize("module", WEB)
def test_expensive_work_passes_the_gate(module):
    tree = ast.parse(FILES[module].read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = {name for call in calls for name in called(call) & GATED} | GATED.intersection(named(tree))
    assert not {name for name in found if (module, name) not in OF_ITS_OWN}, f"{module}: use {GATE}"


def named(tree):
    """Every name that a file imports from elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


ROUTES = {"get", "post", "put", "delete", "head", "api_route", "route", "exception_handler"}


@pytest.mark.parametrize("module", WEB)
def test_a_route_is_a_coroutine_that_makes_nothing_itself(module):
    """A function that is none would run in the pool of threads that all routes share."""
    tree = ast.parse(FILES[module].read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = {ast.unparse(d.func) for d in node.decorator_list if isinstance(d, ast.Call)}
            assert not {d for d in decorators if d.startswith("app.") and d[4:] in ROUTES}, f"{module}: {node.name}"
        if isinstance(node, ast.AsyncFunctionDef):
            made = {name for call in calls_of(node) for name in called(call) & MAKERS}
            assert not made, f"{module}: {node.name} makes {made} in the event loop"


def calls_of(function):
    """The calls of a function itself, not of those that are defined in it."""
    todo = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo += list(ast.iter_child_nodes(node))


PROMISED = {"gradio", "gradio.components", "gradio.themes", "gradio.themes.utils"}  # modules that Gradio documents
PRIVATE = {"has_launched", "async_move_resource_to_block_cache"}  # and what begins with "_" in another's hands


def of_gradio(tree):
    """What a file names of Gradio that Gradio does not promise."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith("gradio") and one.name not in PROMISED)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gradio"):
            if node.module not in PROMISED:
                yield node.module
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "gradio_api/" in node.value:
            yield node.value
        elif isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            hidden = node.attr.startswith("_") and not node.attr.startswith("__") and node.attr != "_replace"
            if node.attr in PRIVATE or (hidden and not own):
                yield node.attr


def test_what_gradio_does_not_promise_stands_in_one_file():
    found = {
        name: sorted(set(named))
        for name, path in FILES.items()
        if name.startswith("imgcls.web") and (named := list(of_gradio(ast.parse(path.read_text("utf-8")))))
    }
    assert set(found) == {"imgcls.web.server.gradio_internals"}, found


def test_dates_and_numbers_are_written_in_the_page_s_language():
    """And not in the browser's: an English date stood on the Chinese page."""
    written = [
        (path.name, call)
        for path in sorted((PROJECT / "imgcls" / "web").rglob("*.js"))
        for call in re.findall(r"toLocale\w+\([^,)]*|Intl\.\w+\([^,)]*", path.read_text("utf-8"))
    ]
    assert written and not [call for call in written if not call[1].endswith("(document.documentElement.lang")]


IMPORT = re.compile(r"^(?:import|export)\b(?:\s*(\{[^}]*\})\s*from)?\s*'([^']+)';", re.MULTILINE)
LATER = re.compile(r"(?:const (\{[^}]*\}) = )?\(?await import\('([^']+)'\)\)?(?:\.(\w+))?")
EXPORT = re.compile(r"^export (?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


def page_scripts():
    return [path for path in sorted((PROJECT / "imgcls" / "web").rglob("*.js")) if path.parent.name != "built"]


def test_a_module_imports_what_another_exports():
    """By a relative path, as the browser asks for it beneath /scripts/."""
    texts = {path.resolve(): path.read_text("utf-8") for path in page_scripts()}
    found, wrong = 0, []
    for path, text in texts.items():
        for names, place in IMPORT.findall(text) + [
            (names or name, place) for names, place, name in LATER.findall(text)
        ]:
            found += 1
            other = texts.get((path.parent / place).resolve()) if place.startswith(".") else None
            missing = {name.split(" as ")[0] for name in re.findall(r"\w+(?: as \w+)?", names)}
            if other is None or (missing := missing - set(EXPORT.findall(other))):
                wrong.append((path.name, place, missing))
        wrong += [(path.name, place, "no literal import") for place in re.findall(r"^import (?!\{|').*", text, re.M)]
    assert found > 80 and not wrong


def test_scripts_know_each_other_by_imports_alone():
    """What one left on `window` another found or not, as the page happened to be built."""
    texts = {path: path.read_text("utf-8") for path in (PROJECT / "imgcls" / "web").rglob("*") if path.suffix in KINDS}
    left = [
        (path.name, use)
        for path, text in texts.items()
        for use in re.findall(r"(?:window|globalThis)\.imgcls\w*", text)
    ]
    assert len(texts) > 200 and not left


KINDS = (".js", ".py", ".j2", ".html")


# Where somebody's run begins, and what asks for a nickname before it in a shared lab.
OWNED = {
    "imgcls.web.classify.corrections": "classify/js/wrong.js",
    "imgcls.web.classroom.board_routes": "train/js/page_training.js",
    "imgcls.web.sweeps.panel": "sweeps/sweeps.js",
    "imgcls.web.train.tab": "train/tab.py",
    "imgcls.web.init_lab.tab": "init_lab/tab.py",
    "imgcls.web.init_lab.label_noise": "init_lab/label_noise.py",
}


def test_who_begins_a_run_in_a_shared_lab_is_asked_for_a_nickname():
    """And is not only told to say one: there was no place to do so."""
    callers = {name for name, path in FILES.items() if ".run_owner(" in path.read_text("utf-8")}
    assert callers == set(OWNED)
    for script in OWNED.values():
        text = (PROJECT / "imgcls" / "web" / script).read_text("utf-8")
        assert re.search(r"await (?:this\.board\.)?named\(\)|js=NAMED|js=self\.named|js=named", text), script


OTHERS_FILES = {"Resample.c", "BoxBlur.c"}  # Pillow's


def test_a_file_that_a_comment_or_a_page_names_is_there():
    folders = ("imgcls", "docs", "benchmarks", "tests", "weight", ".ci")
    files = [*PROJECT.glob("*"), *(path for folder in folders for path in (PROJECT / folder).rglob("*"))]
    there = {path.name for path in files} | OTHERS_FILES
    gone = {}
    for path in files:
        if path.suffix in (".py", ".js", ".c", ".css", ".md") and "tests" not in path.parts:
            named = re.findall(r"\w[\w/-]*\.(?:py|js|c|css)\b", path.read_text("utf-8"))
            if missing := sorted({name for name in named if Path(name).name not in there}):
                gone[str(path)] = missing
    assert not gone
