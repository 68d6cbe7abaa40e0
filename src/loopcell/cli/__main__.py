"""`python -m loopcell.cli`, which is also what `torchrun -m loopcell.cli` starts."""

from loopcell.cli.app import main

if __name__ == "__main__":
    main()
