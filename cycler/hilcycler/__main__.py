"""`python -m hilcycler` is the command `cycler`."""

from hilcycler.cli import main

if __name__ == "__main__":
    main()
