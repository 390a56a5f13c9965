"""``python -m septet.dialects SCRIPT``: the same as ``septet run SCRIPT``."""

from __future__ import annotations

from septet.dialects.running.command import main

if __name__ == "__main__":
    main()
