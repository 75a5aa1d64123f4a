"""The shape of the source tree in figures: helpers, comments, clones, lengths, tables by task.

Run from the repository root:

    python -m benchmarks.structure                  the figures of src/medvision
    python -m benchmarks.structure --check          exit 1, naming each bound that is broken
    python -m benchmarks.structure --list samples   private helpers used once, with file:line
    python -m benchmarks.structure FOLDER           another package, to compare (its tests left out)

What is counted:

- Functions: every `def`, methods and nested ones too. Lengths are lines of the body without its
  docstring.
- A private helper used once: a module-level function or a method whose name starts with one
  underscore, with exactly one reference in the package beside its definition. A reference is a
  reference, whether it calls the function, hands it on or names it in a table; to be decorated is
  none. Names are matched by spelling, in the helper's own module and in every module that defines
  no function of that name itself. The share is of all functions. `--list` tells calls from mere
  names: a function that a table names can rarely be inlined.
- Comments: `#` tokens per 100 lines, blank lines and docstrings among the lines.
- Clones: lines inside any run of 50 tokens that occurs twice or more in the package; names and
  literals must be equal, comments and blank lines are passed over.
- Tables keyed by task: dict displays whose keys are all `Task.X`.
"""

import argparse
import ast
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "medvision"
CLONE_TOKENS = 50
SHORT_LINES = 25
ONCE_USED_MAX_FRAC = 0.20
CLONED_BELOW_FRAC = 0.01
SHORT_MIN_FRAC = 0.90
FUNCTION_MAX_LINES = 60
MODULE_MAX_LINES = 450

NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
# Two blocks are alike whatever column they stand in: the text of these tokens is not compared.
LAYOUT = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One definition and what is measured of it."""

    place: str  # module:line
    name: str
    body_lines: int  # without the docstring
    is_private_helper: bool


@dataclass(frozen=True, kw_only=True)  # no slots: `cached_property` keeps its values in a dict
class Module:
    """One source file, parsed once."""

    name: str  # path below the package, with slashes
    text: str

    @property
    def n_lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.name)

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def functions(self) -> list[Function]:
        return list(functions_below(self.tree, module=self.name))

    @cached_property
    def references(self) -> Counter[str]:
        """How often each name is used: read, called, reached by a dot, imported."""
        counts: Counter[str] = Counter()
        for node in ast.walk(self.tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    counts[name] += 1
                case ast.ImportFrom(names=aliases):
                    counts.update(alias.name for alias in aliases)
        return counts

    @cached_property
    def called(self) -> set[str]:
        """Names right before the brackets of a call, `f` of `f(...)` and of `self.f(...)`."""
        calls = (node.func for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return {ast.unparse(function).rpartition(".")[2] for function in calls}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is printed and checked."""

    modules: list[Module]
    functions: list[Function]
    n_once_used: int
    n_comments: int
    n_cloned_lines: int
    task_tables: Counter[str]  # module → tables keyed by task
    n_naming_tasks: int

    @property
    def n_lines(self) -> int:
        return sum(module.n_lines for module in self.modules)

    @property
    def once_used_frac(self) -> float:
        return share(self.n_once_used, len(self.functions))

    @property
    def short_frac(self) -> float:
        return share(sum(f.body_lines <= SHORT_LINES for f in self.functions), len(self.functions))

    @property
    def cloned_frac(self) -> float:
        return share(self.n_cloned_lines, self.n_lines)


def share(part: int, whole: int) -> float:
    """A part of a whole, 0 of nothing."""
    return part / whole if whole else 0.0


def read_modules(root: Path) -> list[Module]:
    """All modules below a package's folder but those of tests, sorted by path."""
    paths = (path.relative_to(root) for path in sorted(root.rglob("*.py")))
    return [
        Module(name=path.as_posix(), text=(root / path).read_text(encoding="utf-8"))
        for path in paths
        if "tests" not in path.parts
    ]


def functions_below(node: ast.AST, *, module: str, nested: bool = False) -> Iterator[Function]:
    """All definitions below a node, outer ones first."""
    for child in ast.iter_child_nodes(node):
        is_definition = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_definition:
            private = child.name.startswith("_") and not child.name.startswith("__")
            yield Function(
                place=f"{module}:{child.lineno}",
                name=child.name,
                body_lines=body_lines(child),
                is_private_helper=private and not nested,
            )
        yield from functions_below(child, module=module, nested=nested or is_definition)


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the end; 0 for a docstring alone."""
    has_docstring = ast.get_docstring(function, clean=False) is not None
    body = function.body[1:] if has_docstring else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def once_used_helpers(modules: list[Module]) -> dict[Function, str]:
    """Private helpers with one reference in the package → `called` or `named` there."""
    abroad: Counter[str] = Counter()  # references to a name from modules that do not define it
    for module in modules:
        own = {function.name for function in module.functions}
        abroad.update({name: n for name, n in module.references.items() if name not in own})
    return {
        function: "called" if function.name in module.called else "named"
        for module in modules
        for function in module.functions
        if function.is_private_helper
        and module.references[function.name] + abroad[function.name] == 1
    }


def cloned_lines(modules: list[Module]) -> set[tuple[str, int]]:
    """(module, line) of all lines in runs of `CLONE_TOKENS` tokens that stand twice or more."""
    places: dict[tuple[str, ...], list[tuple[str, range]]] = defaultdict(list)
    for module in modules:
        tokens = [token for token in module.tokens if token.type not in NOT_CODE]
        words = [str(token.type) if token.type in LAYOUT else token.string for token in tokens]
        for start in range(len(tokens) - CLONE_TOKENS + 1):
            end = start + CLONE_TOKENS
            lines = range(tokens[start].start[0], tokens[end - 1].end[0] + 1)
            places[tuple(words[start:end])].append((module.name, lines))
    clones = (found for found in places.values() if len(found) > 1)
    return {(name, line) for found in clones for name, lines in found for line in lines}


def names_task(node: ast.AST | None) -> bool:
    """Whether an expression is `Task.X`, or `samples.Task.X`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] == "Task"


def count_task_tables(module: Module) -> int:
    """How many dict displays of a module have `Task.X` for all their keys."""
    dicts = (node for node in ast.walk(module.tree) if isinstance(node, ast.Dict))
    return sum(bool(table.keys) and all(map(names_task, table.keys)) for table in dicts)


def measure(modules: list[Module]) -> Figures:
    """All figures of a package."""
    return Figures(
        modules=modules,
        functions=[function for module in modules for function in module.functions],
        n_once_used=len(once_used_helpers(modules)),
        n_comments=sum(t.type == tokenize.COMMENT for module in modules for t in module.tokens),
        n_cloned_lines=len(cloned_lines(modules)),
        task_tables=+Counter({module.name: count_task_tables(module) for module in modules}),
        n_naming_tasks=sum(any(map(names_task, ast.walk(module.tree))) for module in modules),
    )


def broken_bounds(figures: Figures) -> list[str]:
    """One line for each bound of the house style that a tree breaks, with the offender."""
    once, cloned, short = figures.once_used_frac, figures.cloned_frac, figures.short_frac
    broken = {
        f"private helpers used once: {once:.1%}, at most {ONCE_USED_MAX_FRAC:.0%}": (
            once > ONCE_USED_MAX_FRAC
        ),
        f"clones: {cloned:.2%}, below {CLONED_BELOW_FRAC:.0%}": cloned >= CLONED_BELOW_FRAC,
        f"functions of {SHORT_LINES} lines or less: {short:.1%}, at least {SHORT_MIN_FRAC:.0%}": (
            short < SHORT_MIN_FRAC
        ),
    }
    for f in figures.functions:
        line = f"function {f.place} {f.name}: {f.body_lines} lines, at most {FUNCTION_MAX_LINES}"
        broken[line] = f.body_lines > FUNCTION_MAX_LINES
    for m in figures.modules:
        line = f"module {m.name}: {m.n_lines} lines, at most {MODULE_MAX_LINES}"
        broken[line] = m.n_lines > MODULE_MAX_LINES
    return [line for line, is_broken in broken.items() if is_broken]


def print_figures(figures: Figures) -> None:
    """The figures, a line each, with the longest functions and modules."""
    n_lines, n_functions = figures.n_lines, len(figures.functions)
    print(f"modules {len(figures.modules)}, lines {n_lines}, functions {n_functions}")
    print(f"private helpers used once: {figures.n_once_used}, {figures.once_used_frac:.1%}")
    print(f"comments a 100 lines: {100 * share(figures.n_comments, n_lines):.1f}")
    print(f"cloned lines: {figures.n_cloned_lines}, {figures.cloned_frac:.2%}")
    print(f"functions of {SHORT_LINES} lines or less: {figures.short_frac:.1%}")
    print(f"files naming `Task.`: {figures.n_naming_tasks}")
    tables = figures.task_tables
    print_largest(f"tables keyed by task: {tables.total()} in {len(tables)} files", tables, 20)
    functions = {f"{f.place} {f.name}": f.body_lines for f in figures.functions}
    print_largest("longest functions, body lines:", functions)
    print_largest("longest modules, lines:", {m.name: m.n_lines for m in figures.modules})


def print_largest(title: str, numbers: Mapping[str, int], count: int = 10) -> None:
    """A title and the largest numbers, a line each."""
    print(title)
    for name, number in Counter(numbers).most_common(count):
        print(f"{number:6}  {name}")


def print_once_used(modules: list[Module], package: str, root_name: str) -> None:
    """The helpers used once below a package or in a module: `samples`, `medvision.table.rows`."""
    dotted = package.removesuffix(".py").replace("/", ".").strip(".")
    wanted = f".{dotted}.".rpartition(f".{root_name}.")[2].strip(".")
    for function, use in once_used_helpers(modules).items():
        module = function.place.partition(".py:")[0].replace("/", ".")
        if f"{module}.".startswith(f"{wanted}." if wanted else ""):
            lines = f"{function.body_lines} lines, {use}"
            print(f"{root_name}/{function.place}  {function.name}  {lines}")


def main() -> int:
    """Print the figures, or the helpers used once; 1 if a checked bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="the package's folder")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bound is broken")
    parser.add_argument("--list", metavar="PACKAGE", help="list its private helpers used once")
    options = parser.parse_args()
    modules = read_modules(options.folder)
    if not modules:
        parser.error(f"no Python module in {options.folder}: name a package's folder")
    if options.list:
        print_once_used(modules, options.list, options.folder.resolve().name)
        return 0
    figures = measure(modules)
    print_figures(figures)
    broken = broken_bounds(figures) if options.check else []
    for line in broken:
        print(f"broken: {line}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
