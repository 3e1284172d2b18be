"""What of a compiled kernel is kept on disk, and what of that is loaded again.

Numba keeps the machine code and, for kernels compiled later that inline it, the LLVM code, and loads both. A
process that finds all its kernels compiled runs the first only, while the second takes most of the memory
(3.1 of the 3.8 MB of a matrix product) and of the time. Here it stays as it was read, compressed, until a
kernel that is compiled asks for it."""

import zlib

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.codegen import CPUCodeLibrary


def _names(code):
    """LLVM code that defines numbers under the names of what `code` defines: loading asks for no more."""
    module, found = ir.Module(), llvm.parse_bitcode(code)
    for values in (found.functions, found.global_variables):
        for value in values:
            if not value.is_declaration:
                ir.GlobalVariable(module, ir.IntType(8), value.name).initializer = ir.IntType(8)(0)
    return llvm.parse_assembly(str(module)).as_bitcode()


class _Parts(CompileResultCacheImpl):
    def reduce(self, made):
        # The annotation is the text of the source with each value's type, for `inspect_types` only.
        library, *rest = super().reduce(made._replace(type_annotation=""))
        name, kind, (machine, code) = library
        return (name, kind, (machine, _names(code))), *rest, zlib.compress(code)

    def rebuild(self, target, kept):
        *kept, code = kept
        made = super().rebuild(target, kept)
        library = made.library
        library._shared_module = None  # the names

        def whole():
            if library._shared_module is None:
                library._shared_module = llvm.parse_bitcode(zlib.decompress(code))
            return library._shared_module

        library._get_module_for_linking = whole
        return made


def _takes_apart() -> bool:
    """Whether Numba's libraries are such as `_Parts` takes apart. A later Numba's may not be: then its own
    cache does, with more memory."""
    code = CPUCodeLibrary._unserialize.__func__.__code__
    known = "shared_bitcode" in code.co_varnames and "_shared_module" in code.co_names
    return known and hasattr(CPUCodeLibrary, "_get_module_for_linking")


class Kept(FunctionCache):
    """Numba's cache of one function, in `folder`; `dispatcher._cache = Kept(function, folder)` puts it to
    use."""

    _impl_class = _Parts if _takes_apart() else CompileResultCacheImpl

    def __init__(self, function, folder):
        # Numba reads CACHE_DIR now; it is put back so that the user's own kernels stay where they were.
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
        try:
            super().__init__(function)
        finally:
            numba.config.CACHE_DIR = before
