"""The tests, as a package: other distributions bring a `tests` of their own, which child processes would find."""
