# Reads pairs of texts, each after its length in eight bytes, and answers each pair with one word.
import sys
from _ast import AST, AsyncFunctionDef, ClassDef, Constant, Expr, FunctionDef, Module, PyCF_ONLY_AST

sys.setrecursionlimit(10000)
source = sys.stdin.buffer


def text():
    length = source.read(8)
    if len(length) < 8:
        sys.exit()
    return source.read(int.from_bytes(length, "big"))


# Everything of two trees but positions, which are attributes and no fields.
def alike(one, other):
    left = [(one, other)]
    while left:
        one, other = left.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, AST):
            left += [(getattr(one, field, None), getattr(other, field, None)) for field in one._fields]
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            left += zip(one, other)
        elif one != other:
            return False
    return True


def without_documentation(tree):
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, AST):
            if isinstance(node, (Module, ClassDef, FunctionDef, AsyncFunctionDef)) and node.body:
                first = node.body[0]
                value = getattr(first, "value", None)
                if isinstance(first, Expr) and isinstance(value, Constant) and isinstance(value.value, str):
                    del node.body[0]
            left += [getattr(node, field, None) for field in node._fields]
    return tree


def likeness(one, other):
    try:
        trees = [compile(text, "text", "exec", PyCF_ONLY_AST, True) for text in (one, other)]
        if alike(*trees):
            return "same"
        return "documentation" if alike(*map(without_documentation, trees)) else "other"
    except Exception:
        return "unparsed"


while True:
    print(likeness(text(), text()), flush=True)
