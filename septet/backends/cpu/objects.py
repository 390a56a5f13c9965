"""Object code on disk: what one process compiled, the next one loads.

A file per function, named after its key, in a folder of the user. Many processes may read and write at once without
locks: a file appears whole, by renaming, and is checked by whoever reads it (form, key, length, checksum), so that a
damaged file is as good as none. Nothing here raises for want of a disk: where reading or writing fails, functions are
compiled again, and `ObjectCache.status` tells why; `septet doctor` shows it.

The files hold machine code that is run without further questions. So the folder must belong to the user (or to the
administrator), and others must not be able to write to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
import struct
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from septet.base.config import cache_folder, config
from septet.base.text import plural

FEW = 4  # files that are looked for one by one
MOST_LISTED = 256  # a listing of more takes longer than looking for some
SUFFIX = ".object"
TEMPORARY = ".tmp"
# The form of the file, and of the names in the object code.
MAGIC = b"septet-1"
HEADER = struct.Struct("<8sQ16s")  # magic, length of the code, checksum

BLOCK = 4096  # what a small file takes on most file systems
TOUCH_AFTER = 3600.0  # seconds: the time of last use is written again when it is older than that
LEFTOVER_AFTER = 3600.0  # seconds: a temporary file as old as that was left by a process that died
SHARE_KEPT = 0.75  # of the limit, when files are removed: so that this happens seldom
SHARE_WRITTEN = 1 / 16  # of the limit that is written before a process looks again how much there is

_numbers = itertools.count()


class ObjectCache:
    """Keep object code in a folder, up to a size.

    Parameters
    ----------
    folder : str
        Made at the first writing.
    limit : int
        Bytes that the files may take in all; with 0, nothing is read or written.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self.folder = Path(folder)
        self.limit = limit
        self.reason = "the setting cache_size is 0" if limit == 0 else ""  # why nothing is written, if so
        self.is_trusted: bool | None = None  # not looked at yet
        self.damaged = 0  # files that were there and could not be used
        self._lock = threading.Lock()
        # Bytes since files were last counted, by whichever process: a guess, so that each of many short ones counts
        # seldom (0.3 s where there are 30,000 files), and all together still as often as they should.
        self._written = int(limit * SHARE_WRITTEN * int.from_bytes(os.urandom(2), "little") / 65536)

    def read(self, key: str) -> bytes | None:
        """Return the object code of a key, or None where there is none that can be used."""
        if self.limit == 0 or not self._is_trusted():
            return None
        path = self.folder / (key + SUFFIX)
        try:
            with open(path, "rb", opener=_open_at_once) as file:
                state = os.fstat(file.fileno())
                # A device could be read for ever, and a file of a size that none of ours has would fill the memory.
                is_ours = stat.S_ISREG(state.st_mode) and state.st_size <= self.limit and not _distrust(path, state)
                content = file.read() if is_ours else b""
                last_use = state.st_mtime
        except FileNotFoundError:
            return None
        except OSError:
            self.damaged += 1
            return None
        code = unpack(key, content)
        if code is None:
            self.damaged += 1
            return None
        if abs(time.time() - last_use) > TOUCH_AFTER:
            with contextlib.suppress(OSError):
                os.utime(path)
        return code

    def those_there(self, keys: Collection[str]) -> Collection[str]:
        """Return those of some keys that may be there: few files are listed at once rather than looked for one by one.

        Each look at a file lets go of Python's lock, and a thread that runs Python gives it back after milliseconds.
        """
        if len(keys) < FEW or self.limit == 0:
            return keys
        try:
            with os.scandir(self.folder) as entries:
                names = {entry.name for entry in itertools.islice(entries, MOST_LISTED)}
        except FileNotFoundError:
            return ()
        except OSError:
            return keys
        return keys if len(names) == MOST_LISTED else [key for key in keys if key + SUFFIX in names]

    def write(self, codes: Mapping[str, bytes]) -> None:
        """Keep object code; what cannot be written is left out."""
        if self.reason or not codes:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.is_trusted = None
            if not self._is_trusted():
                return
            for key, code in codes.items():
                self._write(key, code)
        except OSError as error:
            self.reason = self._words(error)
            return
        with self._lock:
            size = sum(_on_disk(HEADER.size + len(code)) for code in codes.values())
            if self._written + size > self.limit * SHARE_WRITTEN:
                self.shrink()
                self._written = 0
            else:
                self._written += size

    def _write(self, key: str, code: bytes) -> None:
        temporary = self.folder / f"{key}-{os.getpid()}-{next(_numbers)}{TEMPORARY}"
        try:
            with open(temporary, "xb", opener=_open_for_owner) as file:
                file.write(pack(key, code))
            os.replace(temporary, self.folder / (key + SUFFIX))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            if isinstance(error, IsADirectoryError):  # somebody's folder of that name: this function alone is not kept
                return
            # Windows does not replace a file that another process reads: it is the same code.
            if not (sys.platform == "win32" and isinstance(error, PermissionError)):
                raise

    def shrink(self) -> None:
        """Remove the files that were used least recently, when all together take more than the limit."""
        found = []
        for entry in self._entries():
            with contextlib.suppress(OSError):
                state = entry.stat()
                if entry.name.endswith(SUFFIX):
                    found.append((state.st_mtime, _on_disk(state.st_size), entry.path))
                elif time.time() - state.st_mtime > LEFTOVER_AFTER:
                    os.unlink(entry.path)
        total = sum(size for _, size, _ in found)
        if total <= self.limit:
            return
        for _, size, path in sorted(found):
            with contextlib.suppress(OSError):  # another process may have removed it
                os.unlink(path)
            total -= size
            if total <= self.limit * SHARE_KEPT:
                return

    def status(self) -> str:
        """Say where compiled code is kept and how much there is, or why it is not kept."""
        sizes = []
        for entry in self._entries():
            with contextlib.suppress(OSError):
                if entry.name.endswith(SUFFIX):
                    sizes.append(_on_disk(entry.stat().st_size))
        if not self.reason and self._is_trusted():
            self._try_to_write()
        amount = f"{sum(sizes) / 1e6:.1f} of {self.limit / 1e6:g} MB"
        text = f"compiled code: {plural(len(sizes), 'function')}, {amount} in {self.folder}"
        if self.damaged:
            text += f"; {plural(self.damaged, 'damaged file')} left aside"
        if self.reason:
            text += f"; nothing is kept: {self.reason}"
        return text

    def _try_to_write(self) -> None:
        """Find out whether files can be written, for `status`."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write("probe", b"")
            os.unlink(self.folder / ("probe" + SUFFIX))
        except OSError as error:
            self.reason = self._words(error)

    def _words(self, error: OSError) -> str:
        return f"{error.strerror or error}: {error.filename or self.folder}"

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """Go through the files of ours in the folder."""
        try:
            with os.scandir(self.folder) as entries:
                yield from [entry for entry in entries if entry.name.endswith((SUFFIX, TEMPORARY))]
        except OSError:
            return

    def _is_trusted(self) -> bool:
        """Whether nobody else can put files into the folder; looked at once. A folder that is missing is."""
        if self.is_trusted is None:
            self.is_trusted = True
            with contextlib.suppress(OSError):
                distrust = _distrust(self.folder, os.stat(self.folder))
                if distrust:
                    self.reason = distrust
                    self.is_trusted = False
        return self.is_trusted


def _distrust(path: Path, state: os.stat_result) -> str:
    """Say who else could have written to a file or folder; nothing where nobody could."""
    if not hasattr(os, "geteuid"):
        return ""
    if state.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to another user"
    return f"everybody may write to {path}" if state.st_mode & stat.S_IWOTH else ""


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for somebody to write to it, should it be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open_for_owner(path: str, flags: int) -> int:
    """Create a file that nobody else may write to, whatever new files of this process are like."""
    return os.open(path, flags, 0o644)


def pack(key: str, code: bytes) -> bytes:
    """Return the content of a file."""
    return HEADER.pack(MAGIC, len(code), _checksum(key, code)) + code


def unpack(key: str, content: bytes) -> bytes | None:
    """Return the code in the content of a file, or None when it is damaged, of another form or of another key."""
    if len(content) < HEADER.size:
        return None
    magic, length, checksum = HEADER.unpack_from(content)
    code = content[HEADER.size :]
    if magic != MAGIC or not length or length != len(code) or checksum != _checksum(key, code):
        return None
    return code


def _checksum(key: str, code: bytes) -> bytes:
    return hashlib.blake2b(key.encode() + b"\0" + code, digest_size=16).digest()


def _on_disk(size: int) -> int:
    """Bytes that a file of a size takes on disk, about."""
    return -(-size // BLOCK) * BLOCK


def _forget() -> None:
    """Start anew in a forked child: another thread may have held the lock."""
    global _current
    _current = None


_current: ObjectCache | None = None

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def current() -> ObjectCache:
    """Return the cache that the settings `cache_dir` and `cache_size` ask for."""
    global _current
    folder, limit = os.path.join(cache_folder(config.cache_dir), "objects"), config.cache_size * 1_000_000
    if _current is None or (str(_current.folder), _current.limit) != (folder, limit):
        _current = ObjectCache(folder, limit)
    return _current
