"""`python -m alarmhub`: the same commands as the `alarmhub` script."""

from alarmhub.cli import main

if __name__ == "__main__":
    main()
