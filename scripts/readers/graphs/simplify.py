"""Simplification of scripted code for pictures of four axes, so that OpenVINO can convert it."""

from typing import Any

import torch


def simplified(module: Any, example: torch.Tensor) -> Any:
    """The module without the branches that a picture of four axes never takes.

    OpenVINO converts both sides of a branch, and scripted code of torch's own functions has one
    for each number of axes, of which most cannot be converted.
    """
    passes: Any = torch._C
    frozen = torch.jit.freeze(module)
    graph = frozen.graph
    passes._jit_pass_inline(graph)
    picture = list(graph.inputs())[1]
    picture.inferTypeFrom(example)
    picture.setType(picture.type().with_sizes([None, 3, None, None]))
    for _ in range(4):  # each round may reveal what the next can fold
        passes._jit_pass_lower_all_tuples(graph)
        passes._jit_pass_constant_propagation(graph)
        _resolve_dictionaries(graph)
        passes._jit_pass_remove_mutation(graph)  # of lists, which hide the shapes in them
        passes._jit_pass_propagate_shapes_on_graph(graph)
        passes._jit_pass_peephole(graph, False)
        passes._jit_pass_constant_propagation(graph)
        passes._jit_pass_dce(graph)
    return frozen


def _resolve_dictionaries(graph: Any) -> None:
    """Replace what is read from dictionaries, such as a backbone's features, by what was put in."""
    known: dict[str, dict[str, Any]] = {}
    changed: set[str] = set()
    for node in list(graph.nodes()):
        inputs = list(node.inputs())
        if node.kind() == "prim::DictConstruct" or (node.kind() == "aten::dict" and not inputs):
            keys = [_text(value) for value in inputs[::2]]
            if all(key is not None for key in keys):
                pairs = zip(keys, inputs[1::2], strict=True)
                known[node.output().debugName()] = {str(key): value for key, value in pairs}
            continue
        name = inputs[0].debugName() if inputs else ""
        key = _text(inputs[1]) if name in known and len(inputs) > 1 else None
        if key is None:
            continue
        if node.kind() == "aten::_set_item":
            known[name][key] = inputs[2]
            changed.add(name)
            node.destroy()
        elif node.kind() == "aten::__getitem__" and key in known[name]:
            node.output().replaceAllUsesWith(known[name][key])
            node.destroy()
    for result in list(graph.outputs()):
        if result.debugName() in changed:
            result.replaceAllUsesWith(_dictionary(graph, known[result.debugName()], result.type()))


def _dictionary(graph: Any, entries: dict[str, Any], kind: Any) -> Any:
    """A dictionary that is made in one step, at the graph's end."""
    flat: list[Any] = []
    for key, value in entries.items():
        flat += [graph.insertConstant(key), value]
    node = graph.create("prim::DictConstruct", flat, 1)
    graph.appendNode(node)
    node.output().setType(kind)
    return node.output()


def _text(value: Any) -> str | None:
    node = value.node()
    found = node.output().toIValue() if node.kind() == "prim::Constant" else None
    return found if isinstance(found, str) else None
