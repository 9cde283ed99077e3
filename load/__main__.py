"""`python -m load`: runs the commands of load.cli and nothing else."""

from load.cli import main

if __name__ == "__main__":
    main()
