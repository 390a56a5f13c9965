"""The functions of tensors, as attributes: ``f.concatenate([x, y])`` is ``st.concatenate``, for the library itself."""

from __future__ import annotations

from typing import Any

from septet.tensor import namespace


class Functions:
    """Finds a function of the namespace when it is first used, and keeps it."""

    def __getattr__(self, name: str) -> Any:
        found = namespace.find(name)
        if found is None:
            raise AttributeError(f"there is no function {name!r} of tensors")
        setattr(self, name, found)  # found without running code of ours from now on
        return found


f: Any = Functions()
