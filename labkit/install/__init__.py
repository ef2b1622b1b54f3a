"""What brings the kit onto a machine: its own Python environment and the system's packages.

Standard library only, because it runs before anything is installed; and every file parses on
Python 3.6, so that an old Python gets an answer in plain words.
"""
