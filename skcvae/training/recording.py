"""The tensor operations of a call, recorded once and then repeated.

Derivatives, and maps over members, leave operations that change nothing: axes moved there and
back, views of views. Each takes as long as a small product, and is left out.
"""

import linecache
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, graph_module
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten
VIEWS = {aten.view.default, aten.unsqueeze.default, aten.squeeze.dim}
SCALINGS = {aten.mul.Scalar, aten.mul.Tensor, aten.div.Scalar, aten.div.Tensor}
MATRIX_AXES = 1, 2  # of a batch of matrices


def recorded(function: Callable, arguments: tuple) -> nn.Module:
    """Return the tensor operations of a call, as a function of arguments of the same shapes.

    The operations depend on shapes alone, and draw nothing. Arguments are tensors, and
    containers of them.
    """
    recording = make_fx(lambda *given: function(*given), tracing_mode="fake")(*arguments)
    _forget_source(recording)
    simplify(recording.graph)
    recording.recompile()
    _forget_source(recording)
    return recording


def _forget_source(recording: nn.Module) -> None:
    """Remove what torch would keep for tracebacks as long as the process lives."""
    source = recording.forward.__code__.co_filename
    linecache.cache.pop(source, None)
    graph_module._loader.eval_cache.pop(source, None)


def simplify(graph: Graph) -> None:
    """Leave out operations that change nothing, or whose result is there already.

    A graph is left as it is if one writes in place, since what others share then would change.
    """
    calls, made = [node for node in graph.nodes if node.op == "call_function"], {}
    if any(node.is_impure() for node in calls):
        return
    for node in calls:
        _rewrite(node)
        same = _unchanged(node)
        if same is node:
            same = made.setdefault(f"{node.target} {node.args} {node.kwargs}", node)
        if same is not node:
            node.replace_all_uses_with(same)
    graph.eliminate_dead_code()


def _rewrite(node: Node) -> None:
    """Take a view of views from the first, and make a transposed product as it is needed."""
    source = node.args[0] if node.args else None
    if node.target in VIEWS:
        while source.target in VIEWS:
            source = source.args[0]
        node.target, node.args = aten.view.default, (source, [*node.meta["val"].shape])
    elif _is_transposition(node) and source.target == aten.bmm.default and len(source.users) == 1:
        node.target, node.args = aten.bmm.default, tuple(map(_transposed, reversed(source.args)))
        node.meta["val"] = node.meta["val"].contiguous()


def _unchanged(node: Node) -> Node:
    """Return a node whose value is that of this one, and which is not this one where it can be."""
    if not (node.args and isinstance(node.args[0], Node)):
        return node
    source, *others = node.args
    before, after = source.meta.get("val"), node.meta.get("val")
    if not (isinstance(before, Tensor) and isinstance(after, Tensor)):
        return node
    if _is_transposition(node) and _is_transposition(source):
        return source.args[0]
    is_like = before.shape == after.shape and before.dtype == after.dtype
    changes = {
        aten.detach.default: False,
        aten.clone.default: not before.is_contiguous(),
        **dict.fromkeys((aten.view.default, aten.expand.default), not is_like),
        aten.permute.default: before.stride() != after.stride() or not is_like,
        **dict.fromkeys(SCALINGS, not is_like or others != [1]),
    }
    return node if changes.get(node.target, True) else source


def _is_transposition(node: Node) -> bool:
    return node.target == aten.transpose.int and node.args[1:] == MATRIX_AXES


def _transposed(node: Node) -> Node:
    """Return the transposed matrices of a node."""
    if _is_transposition(node):
        return node.args[0]
    with node.graph.inserting_after(node):
        new = node.graph.call_function(aten.transpose.int, (node, *MATRIX_AXES))
    new.meta["val"] = node.meta["val"].mT
    return new
