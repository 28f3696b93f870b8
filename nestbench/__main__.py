"""``python -m nestbench`` is the installed command."""

from nestbench.cli import main

if __name__ == "__main__":
    main()
