"""The measures of the tree, on small packages whose figures are known."""

from __future__ import annotations

import ast

from tree import Module, arrows_up, circles, floors, folder_sizes, graph, length, parameters, parts


def package(**texts: str) -> list[Module]:
    """Modules of ``p`` by their dotted path with ``__`` for a dot."""
    names = {name: name.replace("__", ".") for name in texts}
    return [
        Module(f"p.{names[name]}", f"p/{names[name].replace('.', '/')}.py", text)
        for name, text in texts.items()
    ]


TOWER = package(base__a="import os", base__b="from p.base import a", top__c="from p.base.b import x")
CIRCLE = package(
    one__a="from p.two.b import x",
    two__b="def f():\n    from p.one.c import y",
    one__c="",
    loose="import p.one.a",
)


def test_imports_of_modules_and_of_what_is_in_them_are_edges() -> None:
    assert graph(TOWER) == {"p.base.a": set(), "p.base.b": {"p.base.a"}, "p.top.c": {"p.base.b"}}
    assert parts(TOWER) == {"base": set(), "top": {"base"}}


def test_floors_are_the_longest_chain_and_a_circle_counts_once() -> None:
    assert floors(graph(TOWER)) == 3
    assert floors({"a": {"b"}, "b": {"a", "c"}, "c": set()}) == 2


def test_modules_in_a_circle_are_found() -> None:
    assert circles(graph(TOWER)) == []
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == [{"a", "b"}]
    assert circles({"a": {"a"}}) == [{"a"}]


def test_parts_that_import_each_other_have_arrows_up_though_no_module_is_in_a_circle() -> None:
    assert circles(graph(CIRCLE)) == []
    assert sorted(arrows_up(CIRCLE)) == [("p.one.a", "p.two.b"), ("p.two.b", "p.one.c")]
    assert arrows_up(TOWER) == []


def test_lengths_and_parameters_leave_out_docstring_and_self() -> None:
    text = 'class A:\n    def f(self, a, *, b=1):\n        """Two\n        lines."""\n        return a\n'
    (function,) = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    assert (length(function), parameters(function)) == (2, 2)


def test_folders_are_counted_without_their_init() -> None:
    found = [*TOWER, Module("p.base", "p/base/__init__.py", "")]
    assert folder_sizes(found) == {"p/base": 2, "p/top": 1}
