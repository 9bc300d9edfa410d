"""Rules of the source tree, each a function from a tree to what breaks it.

Takes a folder that is laid out like this repository. Gives one line per violation: `path:line: what`. Every rule reads the
syntax tree or the text; none imports what it reads.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CODE_FOLDERS = ("src", "tests", "benchmarks")
SHORT_FOLDERS = ("src", "benchmarks")
TEXT_FOLDERS = (*CODE_FOLDERS, "docs", ".ci")
TEXT_FILES = (
    "Makefile", "README.md", "CHANGELOG.md", "SECURITY.md", "NOTICE", "pyproject.toml", "constraints.txt",
)  # fmt: skip
TEXT_ENDINGS = {".py", ".md", ".toml", ".txt", ".grammar", ".j2", ".js", ".css", ".json", ".jsonl", ".sql", ".csv", ""}
MOST_MODULE_LINES = 600
MOST_FUNCTION_LINES = 60
EMPTY_NAMES = {"utils", "util", "core", "common", "manager", "managers", "helper", "helpers", "misc"}
LIBRARY = "src/stillwatch"
BOUNDARIES = {f"{LIBRARY}/cli/main.py", f"{LIBRARY}/gateway/guard.py"}
"""The two modules in which every error may end: the command line, and the guard, whose failure may not become the client's."""
STANDS_ALONE = f"{LIBRARY}/evidence/verify.py"
"""A program in one file, which is handed out with every case bundle and imports nothing of ours: it may not be cut into modules, has
its own errors, and speaks on its own standard output."""
MOST_LINES_ALONE = 900
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X{3}\b|NotImplemented" + r"Error)|pragma: no" + " cover")
# Written in two parts, so that this file does not break its own rule.
WORKPLACE = re.compile(
    r"(?<![\w.*}/-])/wo" + r"rk/|/opt/wh" + r"eels|/tmp/br" + r"iefs|\bsub-?ag" + r"ents?\b|\bcode ass" + r"istant|"
    r"\b(?:written|generated|made) (?:by|with) (?:an? )?(?:AI|L" + r"LM)\b|co-auth" + r"ored-by",
    re.IGNORECASE,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Python file."""

    path: str
    """From the root of the tree, with `/`."""
    text: str
    tree: ast.Module

    def at(self, node: ast.AST | int, what: str) -> str:
        """Say a violation with its place."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {what}"


@cache
def modules(root: Path, folders: tuple[str, ...] = CODE_FOLDERS) -> tuple[Module, ...]:
    """Read every Python file of these folders, in the order of their paths."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return tuple(
        Module(path=path.relative_to(root).as_posix(), text=text, tree=ast.parse(text))
        for path in paths
        for text in (path.read_text(encoding="utf-8"),)
    )


def library(root: Path) -> tuple[Module, ...]:
    """Read the library alone."""
    return modules(root, (LIBRARY,))


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Give path and text of every file that is part of the project and holds text."""
    found = [root / name for name in TEXT_FILES]
    for folder in TEXT_FOLDERS:
        found += (root / folder).rglob("*")
    for path in sorted(found):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix in TEXT_ENDINGS:
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def functions(of: ast.AST) -> Iterator[Function]:
    """Give every function of a module or class, methods and inner ones included."""
    for node in ast.walk(of):
        if isinstance(node, Function):
            yield node


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Give every call with the dotted name of what is called; calls of anything else are left out."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = _dotted(node.func)
            if name:
                yield node, name


def modules_are_short(root: Path) -> list[str]:
    """No module of the library or the benchmarks has over 600 lines, but for the one that stands alone; tests may hold tables."""
    return [
        module.at(lines, f"module of {lines} lines, at most {MOST_MODULE_LINES}")
        for module in modules(root, SHORT_FOLDERS)
        if (lines := len(module.text.splitlines()))
        > (MOST_LINES_ALONE if module.path == STANDS_ALONE else MOST_MODULE_LINES)
    ]


def functions_are_short(root: Path) -> list[str]:
    """No function of the library or the benchmarks has over 60 lines, decorators left out and docstring included."""
    return [
        module.at(function, f"{function.name} of {lines} lines, at most {MOST_FUNCTION_LINES}")
        for module in modules(root, SHORT_FOLDERS)
        for function in functions(module.tree)
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > MOST_FUNCTION_LINES
    ]


def names_say_something(root: Path) -> list[str]:
    """No file or folder is called by a word that says nothing."""
    found = []
    for module in modules(root):
        for part in Path(module.path).with_suffix("").parts:
            empty = EMPTY_NAMES & set(part.split("_"))
            found += [module.at(1, f"the name {part!r} holds {word!r}, which says nothing") for word in sorted(empty)]
    return found


def packages_say_what_they_do(root: Path) -> list[str]:
    """Every folder of modules is a package that says what it takes, gives and promises; of the whole, `pipeline.py` says it."""
    found = []
    by_path = {module.path: module for module in library(root)}
    for folder in sorted({Path(path).parent for path in by_path} - {Path(LIBRARY)}):
        module = by_path.get((folder / "__init__.py").as_posix())
        if module is None:
            found.append(f"{folder.as_posix()}:1: a folder of modules without __init__.py")
            continue
        words = re.findall(r"\w+", ast.get_docstring(module.tree) or "")
        missing = [word for word in ("Takes", "Gives", "Promises") if word not in words and word.lower() not in words]
        found += [module.at(1, f"the docstring does not say {word!r}") for word in missing]
    return found


def everything_public_is_described(root: Path) -> list[str]:
    """Every module, public class and public function of the library has a docstring; inner functions are not public."""
    found = []
    for module in library(root):
        if not ast.get_docstring(module.tree):
            found.append(module.at(1, "module without a docstring"))
        found += [
            module.at(node, f"{node.name} without a docstring")
            for node in _members(module.tree)
            if not node.name.startswith("_") and not ast.get_docstring(node)
        ]
    return found


def nothing_is_printed(root: Path) -> list[str]:
    """The library prints nothing, and outside the command line it does not touch the streams of the process."""
    found = []
    for module in library(root):
        found += [module.at(node, "print in the library") for node, name in calls(module) if name == "print"]
        if not module.path.startswith(f"{LIBRARY}/cli/") and module.path != STANDS_ALONE:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Attribute) and _dotted(node) in {"sys.stdout", "sys.stderr"}:
                    found.append(module.at(node, f"{_dotted(node)} outside the command line"))
    return found


def errors_are_not_swallowed(root: Path) -> list[str]:
    """Only the boundaries of the command line and of the guard catch every error."""
    found = []
    for module in modules(root):
        if module.path in BOUNDARIES:
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            broad = {"Exception", "BaseException"} & {_dotted(kind) for kind in kinds if kind is not None}
            if node.type is None or broad:
                found.append(module.at(node, "catches every error"))
    return found


def errors_have_their_place(root: Path) -> list[str]:
    """Every error stems from StillwatchError, and the branches of each package stand in its `errors.py`."""
    found = []
    for module in library(root):
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ClassDef) or module.path == STANDS_ALONE:
                continue
            bases = [_dotted(base).rsplit(".", 1)[-1] for base in node.bases]
            if not any(base.endswith(("Error", "Exception")) for base in bases):
                continue
            if node.name != "StillwatchError" and all(hasattr(builtins, base) for base in bases):
                found.append(module.at(node, f"{node.name} does not stem from StillwatchError"))
            if "StillwatchError" in bases and not module.path.endswith("/errors.py"):
                found.append(module.at(node, f"{node.name} is a branch of its package outside errors.py"))
    return found


def records_do_not_change(root: Path) -> list[str]:
    """Data classes are slotted, unless they keep what they computed; those of `records` are frozen and keyword-only too."""
    found = []
    for module in library(root):
        wanted = {"slots"} | ({"frozen", "kw_only"} if module.path.startswith(f"{LIBRARY}/records/") else set())
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ClassDef):
                continue
            keeps = any(
                _dotted(mark) == "cached_property" for child in functions(node) for mark in child.decorator_list
            )
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if _dotted(call.func if call else decorator) not in {"dataclass", "dataclasses.dataclass"}:
                    continue
                keywords = {word.arg for word in call.keywords} if call else set()
                missing = sorted(wanted - keywords - ({"slots"} if keeps else set()))
                found += [module.at(node, f"{node.name} is a data class without {word}") for word in missing]
    return found


def nothing_depends_on_the_process(root: Path) -> list[str]:
    """No salted hash, no unseeded or shared randomness, and no clock outside the command line."""
    clocks = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    found = []
    for module in library(root):
        for node, name in calls(module):
            if name == "hash":
                found.append(module.at(node, "hash() is salted by the process"))
            if name.startswith("random.") or re.search(r"\brandom\.(seed|rand|choice|permutation|shuffle)$", name):
                found.append(module.at(node, f"{name} draws from a generator that everybody shares"))
            if name.endswith("default_rng") and not node.args and not node.keywords:
                found.append(module.at(node, "a generator without a seed"))
            if name.removeprefix("datetime.") in clocks and not module.path.startswith(f"{LIBRARY}/cli/"):
                found.append(module.at(node, f"{name} reads the clock"))
    return found


def exports_are_in_packages(root: Path) -> list[str]:
    """`__all__` stands in an `__init__.py` or nowhere."""
    return [
        module.at(node, "__all__ outside __init__.py")
        for module in library(root)
        if not module.path.endswith("/__init__.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "__all__"
    ]


def nothing_is_unfinished(root: Path) -> list[str]:
    """No note of work left, no stub, no line hidden from measurement."""
    return [
        f"{path}:{number}: {match.group()!r} says that something is unfinished"
        for path, text in texts(root)
        for number, line in enumerate(text.splitlines(), start=1)
        for match in UNFINISHED.finditer(line)
    ]


def the_project_speaks_of_itself(root: Path) -> list[str]:
    """No word of the place where it was made, and no path that only exists there."""
    return [
        f"{path}:{number}: {match.group()!r} names the workplace"
        for path, text in texts(root)
        for number, line in enumerate(text.splitlines(), start=1)
        for match in WORKPLACE.finditer(line)
    ]


Rule = Callable[[Path], list[str]]
RULES: tuple[Rule, ...] = (
    modules_are_short,
    functions_are_short,
    names_say_something,
    packages_say_what_they_do,
    everything_public_is_described,
    nothing_is_printed,
    errors_are_not_swallowed,
    errors_have_their_place,
    records_do_not_change,
    nothing_depends_on_the_process,
    exports_are_in_packages,
    nothing_is_unfinished,
    the_project_speaks_of_itself,
)


def _dotted(node: ast.AST) -> str:
    """Give `a.b.c` for a chain of names; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _members(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    """Give classes and functions of a module and of its public classes, but not what is inside a function."""
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield child
            if not child.name.startswith("_"):
                yield from _members(child)
        elif isinstance(child, Function):
            yield child
