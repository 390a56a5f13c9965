"""Programs that open or download data that is gone find a local copy, or are told at once which file to put where."""

from __future__ import annotations

import builtins
import errno
import functools
import io
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from septet.dialects.running import lost_data
from septet.dialects.running.lost_data import LostFile
from septet.dialects.running.shims.shim import Change, Uses, replaced

__all__ = ["LocalCopies"]

_TIMEOUT = 30.0  # seconds without an answer


class LocalCopies:
    """Where a program's lost files are found.

    Parameters
    ----------
    folder : Path
        The program's folder.
    note : callable
        Takes remarks for the user.
    """

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self.folder = folder
        self.note = note
        self.served: dict[str, Path | None] = {}
        self.busy = threading.local()

    def find(self, file: LostFile) -> Path | None:
        """Return a local copy, and tell the user of it once."""
        if getattr(self.busy, "is_searching", False):
            return None
        if self.served.get(file.name) is None:
            self.busy.is_searching = True
            try:
                found = lost_data.find(file, self.folder)
            finally:
                self.busy.is_searching = False
            if found is not None:
                self.note(f"{file.name}: {found}")
            self.served[file.name] = found
        return self.served[file.name]

    def shims(self) -> list[Change]:
        """Return the changes of functions that open and download."""
        return [
            Change("builtins", "open(lost data)", "a local copy of data that is gone", self._opening),
            Change("os.path", "os.path.isfile(lost data)", "true where open() finds a copy", self._asking),
            Change(
                "urllib.request", "urllib.request.urlopen(gone host)", "a local copy, or an error at once", self._urls
            ),
        ]

    def _opening(self, module: ModuleType, uses: Uses, stack: ExitStack) -> None:
        opens = builtins.open

        @functools.wraps(opens)
        def open_of_old(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            try:
                return opens(file, mode, *args, **kwargs)
            except FileNotFoundError as error:
                lost = None if set(mode) & set("wax+") else lost_data.lookup(file, self.folder)
                if lost is None:
                    raise
                found = self.find(lost)
                if found is None:
                    error.add_note(lost_data.advice(lost, self.folder))
                    raise
            uses.record("open(lost data)")
            return opens(found, mode, *args, **kwargs)

        replaced(builtins, "open", open_of_old, stack)

    def _asking(self, module: ModuleType, uses: Uses, stack: ExitStack) -> None:
        def asking(name: str, is_for_folders: bool) -> None:
            asks = getattr(module, name)

            @functools.wraps(asks)
            def answer(path: Any) -> bool:
                if asks(path):
                    return True
                lost = lost_data.lookup(path, self.folder)
                if lost is None and is_for_folders and isinstance(path, str):
                    inside = PurePath(path).name + "/"
                    lost = next((file for name, file in lost_data.LOST.items() if name.startswith(inside)), None)
                elif name == "isdir":
                    return False
                return lost is not None and self.find(lost) is not None

            replaced(module, name, answer, stack)

        asking("isfile", False)
        asking("exists", True)
        asking("isdir", True)

    def _urls(self, module: ModuleType, uses: Uses, stack: ExitStack) -> None:
        from http.client import HTTPMessage
        from urllib.error import URLError
        from urllib.response import addinfourl

        urlopen, urlretrieve = module.urlopen, module.urlretrieve

        def copy_of(address: str) -> Path | None:
            """Return a local copy of what an address had; None where it is worth asking its host."""
            lost = lost_data.lookup(address)
            found = None if lost is None else self.find(lost)
            if found is not None:
                uses.record("urllib.request.urlopen(gone host)")
                return found
            if lost_data.is_gone(address):
                name = PurePath(address.partition("?")[0]).name
                text = f"{name} is gone from {address}: get it elsewhere and put it into {self.folder}"
                if lost is not None:
                    text = lost_data.advice(lost, self.folder)
                self.note(text)  # the program may have words of its own for the error
                raise URLError(OSError(errno.EHOSTUNREACH, text))
            return None

        @functools.wraps(urlopen)
        def urlopen_of_old(url: Any, data: Any = None, timeout: Any = _TIMEOUT, **options: Any) -> Any:
            address = url if isinstance(url, str) else url.full_url
            found = copy_of(address)
            if found is None:
                return urlopen(url, data, timeout, **options)
            headers = HTTPMessage()
            headers["Content-Length"] = str(found.stat().st_size)
            return addinfourl(io.BytesIO(found.read_bytes()), headers, address, 200)

        @functools.wraps(urlretrieve)
        def urlretrieve_of_old(url: str, filename: Any = None, *args: Any, **options: Any) -> Any:
            found = copy_of(url)
            if found is None:
                return urlretrieve(url, filename, *args, **options)
            if filename is None:
                return str(found), HTTPMessage()
            if not (os.path.exists(filename) and os.path.samefile(found, filename)):
                shutil.copyfile(found, filename)
            return filename, HTTPMessage()

        replaced(module, "urlopen", urlopen_of_old, stack)
        replaced(module, "urlretrieve", urlretrieve_of_old, stack)
